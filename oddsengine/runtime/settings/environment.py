"""Keys of the config by environment variables: `ODDSENGINE_<SECTION>__<KEY>`, with `__` between the levels.

A variable stands for a key of the file, and wins over it. Its value is written as in TOML; text needs no quotes. Whatever of a
name is neither a letter nor a digit is `_` in a variable: the feed `my-feed` is `MY_FEED`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args, get_origin

import msgspec
from msgspec import inspect

from oddsengine.common.settings.secret_keys import NO_TEXT, is_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.runtime.settings.reader import TableReader

PREFIX: Final = "ODDSENGINE_"
_BETWEEN: Final = "__"
_TEXTS: Final = (inspect.StrType, inspect.EnumType, inspect.NoneType)


class Schema(NamedTuple):
    """The types of a config.

    Attributes:
        sections: the type of each section; of one that is a table of named tables, `dict[str, X]`.
        adapters: the config type of each feed adapter.
        feed: what every feed has beside that, by key.
    """

    sections: Mapping[str, Any]
    adapters: Mapping[str, type[msgspec.Struct]]
    feed: Mapping[str, Any]


def variables_of(environment: Mapping[str, str], sections: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the variables that stand for keys, with the parts of their names; whole sections first, then what is in them.

    Other variables that begin alike are left alone: a cluster sets some for its services, as `ODDSENGINE_GATEWAY_PORT`.

    Args:
        environment: the environment variables.
        sections: the sections of a config.
    """
    names = {variable_part(section) for section in sections}
    parts = {name: tuple(name.removeprefix(PREFIX).split(_BETWEEN)) for name in environment if name.startswith(PREFIX)}
    found = {name: path for name, path in parts.items() if len(path) > 1 or path[0] in names}
    return dict(sorted(found.items(), key=lambda each: (len(each[1]), each[0])))


def ignored_variables(environment: Mapping[str, str], sections: Iterable[str]) -> list[str]:
    """Return the variables that look as if they stood for a key, but have one `_` after the section."""
    names = tuple(f"{PREFIX}{variable_part(section)}_" for section in sections)
    used = variables_of(environment, sections)
    return sorted(name for name in environment if name.startswith(names) and name not in used)


def variable_part(key: str) -> str:
    """Return a key as a part of a variable's name."""
    return re.sub(r"[^A-Z0-9]", "_", key.upper())


def apply_environment(
    table: dict[str, Any], reader: TableReader, environment: Mapping[str, str], schema: Schema
) -> dict[tuple[str, ...], str]:
    """Set the keys that variables stand for.

    Args:
        table: the file's table, which is changed.
        reader: what the problems are reported to; it names the variables in these and later ones.
        environment: the environment variables.
        schema: the types of the config, by which names are found and values read.

    Returns:
        The variable of each key that has one.
    """
    for name, parts in variables_of(environment, schema.sections).items():
        override = _Override(table, reader, name, schema)
        if is_text(name) and is_text(environment[name]):
            override.apply(parts, environment[name])
        else:
            override.refuse(parts)
    return reader.variables


class _Override:
    """One variable."""

    def __init__(self, table: dict[str, Any], reader: TableReader, name: str, schema: Schema) -> None:
        self._table = table
        self._reader = reader
        self._name = name
        self._schema = schema

    def apply(self, parts: tuple[str, ...], text: str) -> None:
        place: Any = self._table
        path: tuple[str, ...] = ()
        kind: Any = self._schema.sections
        for position, part in enumerate(parts):
            key = self._key(place, part, kind)
            if key is None:
                self._report((*path, part.lower()), f"there is no entry {part}: count from 0, and add one at a time")
                return
            kind = self._kind(path, kind, key)
            path = (*path, str(key))
            is_last = position == len(parts) - 1
            if not is_last and not isinstance(self._at(place, key), dict | list):
                self._set(place, key, [] if _element(kind) is not None else {})
                self._reader.variables.setdefault(path, self._name)
            if is_last:
                self._set(place, key, _read(text, kind))
            place = self._at(place, key)
        self._reader.variables[path] = self._name

    def refuse(self, parts: tuple[str, ...]) -> None:
        """Report a variable that is no text."""
        self._report(tuple(part.lower() for part in parts), NO_TEXT)

    def _report(self, path: tuple[str, ...], message: str) -> None:
        self._reader.variables[path] = self._name
        self._reader.report(path, message)

    def _key(self, place: Any, part: str, kind: Any) -> str | int | None:
        """Return the key or index that a part stands for; None if a list has no such entry and can't get it."""
        if isinstance(place, list):
            index = int(part) if part.isascii() and part.isdecimal() else -1
            return index if 0 <= index <= len(place) else None
        known = [*place, *_names(kind)]
        return next((key for key in known if variable_part(key) == part.upper()), part.lower())

    def _kind(self, path: tuple[str, ...], kind: Any, key: str | int) -> Any:
        if path and path[0] == "feeds" and len(path) > 1:
            feed = self._table["feeds"].get(path[1], {})
            if len(path) == 2:  # noqa: PLR2004 - a key of a feed
                adapter = self._schema.adapters.get(str(feed.get("adapter", "")))
                return self._schema.feed.get(str(key)) or _child(adapter, key)
        return _child(kind, key)

    @staticmethod
    def _at(place: Any, key: Any) -> Any:
        if isinstance(place, list):
            return place[key] if key < len(place) else None
        return place.get(key)

    @staticmethod
    def _set(place: Any, key: Any, value: Any) -> None:
        if isinstance(place, list) and key == len(place):
            place.append(value)
        else:
            place[key] = value


def _names(kind: Any) -> list[str]:
    """Return the keys that a type has."""
    kind = _plain(kind)
    if isinstance(kind, dict):
        return list(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [field.encode_name for field in msgspec.structs.fields(kind) if not field.name.startswith("_")]
    return []


def _child(kind: Any, key: str | int) -> Any:
    """Return the type of a key of a type, None where it is not known."""
    kind = _plain(kind)
    if isinstance(kind, dict):
        return kind.get(key)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return next((field.type for field in msgspec.structs.fields(kind) if field.encode_name == key), None)
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    return _element(kind)


def _element(kind: Any) -> Any:
    """Return the type of the elements of a list, None for another type."""
    kind = _plain(kind)
    return get_args(kind)[0] if get_origin(kind) in {tuple, list} else None


def _plain(kind: Any) -> Any:
    """Return a type without what is said about it, and without None."""
    if getattr(kind, "__metadata__", None):
        kind = get_args(kind)[0]
    others = [each for each in get_args(kind) if each is not type(None)]
    return others[0] if len(others) == 1 and len(get_args(kind)) > 1 and get_origin(kind) not in {tuple, list, dict} else kind


def _read(text: str, kind: Any) -> Any:
    """Return the value of a variable. What can only be text needs no quotes; nor does what is no TOML."""
    if kind is not None and _is_text(kind) and text[:1] not in {'"', "'"}:
        return text
    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # also of a number of more digits than Python reads
        return text
    return found["value"] if len(found) == 1 else text


def _is_text(kind: Any) -> bool:
    info = inspect.type_info(kind)
    if isinstance(info, inspect.Metadata):
        info = info.type
    types = info.types if isinstance(info, inspect.UnionType) else (info,)
    return all(
        isinstance(each, _TEXTS)
        or (isinstance(each, inspect.LiteralType) and all(isinstance(value, str) for value in each.values))
        for each in types
    )
