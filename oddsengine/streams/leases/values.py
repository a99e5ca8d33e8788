"""The values of a group's members in their common table, and how they are changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of a member: a number that grows, how much it is able to do, whether it is leaving, and which items it can own.

    One that does not say which can own all. `lease_s` is how long its lease lasts; 0: as long as that of who reads it. `config`
    identifies what its work is done by, empty if it does not say.
    """

    beat: int
    rank: int = 0
    is_leaving: bool = False
    items: tuple[str, ...] | None = None
    lease_s: float = 0.0
    config: str = ""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """The owner of an item, its next owner, and whether that one is ready."""

    owner: str
    next: str = ""
    is_ready: bool = False


class Table(NamedTuple):
    """The table in Redis: the values of members and entries of items, as stored, and our own value that was there before."""

    members: Mapping[str, bytes]
    entries: Mapping[str, bytes]
    previous: bytes = b""


class Operation(NamedTuple):
    """A change of an entry that is carried out only if the entry is `expected`, and the value of `guard` what it was.

    Empty `expected`: there is no entry. Empty `new`: remove it. Without an item, the member `guard` is removed.
    """

    item: str
    expected: bytes
    new: bytes
    guard: str = ""
    guard_value: bytes = b""


encode: Final = msgspec.json.Encoder().encode
_decode_member: Final = msgspec.json.Decoder(Member).decode
_decode_entry: Final = msgspec.json.Decoder(Entry).decode


def decode_member(value: bytes) -> Member | None:
    """Decode the value of a member; None if it can't be read."""
    try:
        return _decode_member(value)
    except msgspec.MsgspecError:
        return None


def decode_entry(value: bytes) -> Entry | None:
    """Decode the entry of an item; None if it can't be read."""
    try:
        return _decode_entry(value)
    except msgspec.MsgspecError:
        return None
