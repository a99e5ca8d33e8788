"""A table of leases in memory: the rules of `lease.lua`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oddsengine.streams.leases.values import Table, decode_member

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.streams.leases.values import Operation


class MemoryTable:
    """The members and entries of a group."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}
        self.entries: dict[str, bytes] = {}

    def clear(self) -> None:
        """Lose everything."""
        self.members.clear()
        self.entries.clear()

    def copy(self) -> MemoryTable:
        """Return what a file has of it."""
        copied = MemoryTable()
        copied.members, copied.entries = dict(self.members), dict(self.entries)
        return copied

    def write(self, member: str, value: bytes, operations: Iterable[Operation]) -> Table:
        """Write a member's value, carry out the operations that fit, and return the table."""
        previous = self.members.get(member, b"")
        if value and _beat_of(value) < _beat_of(previous):
            return Table(dict(self.members), dict(self.entries), previous)
        _set(self.members, member, value)
        for item, expected, new, guard, guard_value in operations:
            if guard and self.members.get(guard, b"") != guard_value:
                continue
            if not item:
                self.members.pop(guard, None)
            elif self.entries.get(item, b"") == expected:
                _set(self.entries, item, new)
        return Table(dict(self.members), dict(self.entries), previous)


class AwaitedTable:
    """The same for who awaits it: it is written to at once, and answers while it is `released`."""

    def __init__(self) -> None:
        self.model = MemoryTable()
        self.released = asyncio.Event()
        self.released.set()
        #: how many calls it has answered
        self.answered = 0

    async def write(self, member: str, value: bytes, operations: Iterable[Operation] = ()) -> Table:
        """Write as `LeaseTable.write` does."""
        table = self.model.write(member, value, operations)
        await self.released.wait()
        self.answered += 1
        return table


def _set(values: dict[str, bytes], key: str, value: bytes) -> None:
    if value:
        values[key] = value
    else:
        values.pop(key, None)


def _beat_of(value: bytes) -> int:
    member = decode_member(value)
    return 0 if member is None else member.beat
