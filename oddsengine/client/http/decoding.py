"""Decodes answers into the protocol's types, also those of a later gateway.

A gateway is tested against types that allow no other fields and values. A client must accept both, since a later gateway may have
more of them. So each type has a variant here: a subclass that ignores unknown fields, and whose texts with a few known values may
have others.
"""

from __future__ import annotations

from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

_T = TypeVar("_T")


def decode(body: bytes, kind: type[_T]) -> _T:
    """Decode an answer.

    Args:
        body: JSON.
        kind: a type of the protocol.

    Raises:
        msgspec.ValidationError: if it is not one.
    """
    return cast("_T", _decoder(cast("Any", kind)).decode(body))


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(lenient(kind))


def lenient(kind: Any) -> Any:
    """Return the variant of a type: of structs a subclass, of others what consists of variants."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _lenient_struct(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return lenient(arguments[0])
    if origin is Literal:
        return Union[tuple({type(each) for each in arguments})]  # noqa: UP007 - made of a tuple
    if origin in {Union, UnionType}:
        return Union[tuple(lenient(each) for each in arguments)]  # noqa: UP007 - likewise
    if origin in {list, dict, tuple, set}:
        return origin[tuple(each if each is Ellipsis else lenient(each) for each in arguments)]
    return kind


@cache
def _lenient_struct(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    hints = get_type_hints(kind, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        if field.default is not msgspec.NODEFAULT:
            fields.append((field.name, lenient(hints[field.name]), field.default))
        elif field.default_factory is not msgspec.NODEFAULT:
            fields.append((field.name, lenient(hints[field.name]), msgspec.field(default_factory=field.default_factory)))
        else:
            fields.append((field.name, lenient(hints[field.name])))
    return msgspec.defstruct(
        kind.__name__, fields, bases=(kind,), module=kind.__module__, kw_only=True, forbid_unknown_fields=False
    )
