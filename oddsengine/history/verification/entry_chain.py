"""The chain of the entries of a shard, with the changes that they consist of. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.history.rows.tables import key_of
from oddsengine.history.verification.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oddsengine.history.rows.tables import GapBody

#: The tag of a market's record, and how far from the start its array begins at most.
_TAG: Final = b"\xa1m"
_HEADS: Final = 10
_CHANGED: Final = "changed: its bytes do not lead to its digest"


class StoredEntry(NamedTuple):
    """What a chain needs of a row of `entries`."""

    epoch: int
    seq: int
    at_ms: int
    changes: int
    head: bytes
    tail: bytes
    digest: bytes
    follows_epoch: int | None
    follows_seq: int | None
    follows_digest: bytes | None


class StoredChange(NamedTuple):
    """What a chain needs of a row of `changes`."""

    epoch: int
    seq: int
    ordinal: int
    at_ms: int
    key: int
    change: bytes


class Anchor(NamedTuple):
    """A position whose digest is known from elsewhere, and from where."""

    digest: bytes
    source: str


class EntryChain:
    """Checks the entries of a shard one after another.

    Args:
        shard: the shard.
        gaps: what the records say of the gaps of the shard, by the position of the entry after each.
        anchors: what is known of positions from elsewhere.
        dropped: by the position before entries that are not kept any more, the last of these and its digest.
    """

    def __init__(
        self,
        shard: int,
        gaps: Mapping[tuple[int, int], GapBody],
        anchors: Mapping[tuple[int, int], Anchor],
        dropped: Mapping[tuple[int, int], tuple[int, int, bytes]],
    ) -> None:
        self._dropped = dropped
        self._chain = f"shard {shard}"
        self._gaps = gaps
        self._anchors = anchors
        #: the last entry checked; None where nothing before is known
        self.last: tuple[int, int, bytes] | None = None
        self._last_ms = 0
        self._keys: dict[bytes, int] = {}
        self.entries = 0

    def check(
        self, entries: Sequence[StoredEntry], changes: Mapping[tuple[int, int], Sequence[StoredChange]], *, is_first: bool
    ) -> Problem | None:
        """Check the next entries, and return the first problem.

        Args:
            entries: they, in order.
            changes: the changes of each, in order, by its position.
            is_first: whether what the first entry follows is not known, because older days are not kept or not asked for.
        """
        sha256, anchors = hashlib.sha256, self._anchors
        for number, entry in enumerate(entries):
            position = entry[:2]
            previous, problem = self._previous(entry, is_known=not (is_first and number == 0))
            if problem is not None:
                return problem
            of_entry = changes.get(position, ())
            content = b"".join([entry.head, *[row.change for row in of_entry], entry.tail])
            if entry.changes or of_entry:
                problem = self._check_changes(entry, of_entry)
                if problem is not None:
                    return problem
            if previous is None:
                gap = self._gaps.get(position)
                if gap is not None and sha256(content).digest() != gap.content:
                    return self._problem(entry, _CHANGED)
            elif entry.digest and sha256(previous + content).digest() != entry.digest:
                return self._mismatch(entry, previous, entries[number + 1 : number + 2], changes)
            anchor = anchors.get(position)
            if anchor is not None and anchor.digest != entry.digest:
                what = f"computed anew: {anchor.source} has another digest of it, and all up to here have changed since"
                return self._problem(entry, what)
            self.last = (*position, entry.digest)
            self._last_ms = entry.at_ms
            self.entries += 1
        return None

    def _previous(self, entry: StoredEntry, *, is_known: bool) -> tuple[bytes | None, Problem | None]:
        """Return the digest that an entry follows, None if that is not known, and what is wrong with where it is."""
        last = self.last
        if last is not None and entry.epoch == last[0] and entry.seq == last[1] + 1:
            return last[2], None
        while is_known and (after := self._dropped.get((last or (0, 0))[:2])) is not None and after[:2] < entry[:2]:
            self.last = last = after
        if last is not None and entry.epoch == last[0] and entry.seq == last[1] + 1:
            return last[2], None
        gap, follows = self._gaps.get(entry[:2]), entry.follows_digest
        is_gap = gap is not None and gap.until_digest == entry.digest and (gap.after_epoch, gap.after_seq) == (last or (0, 0))[:2]
        if is_gap or (last is None and not is_known):
            return follows, None
        if entry.seq == 0 and (entry.follows_epoch, entry.follows_seq, follows) == (last or (0, 0, b"")):
            return follows, None
        return None, self._problem(entry, self._why_unlinked(entry))

    def _why_unlinked(self, entry: StoredEntry) -> str:
        """Return why an entry does not follow the last one."""
        if self.last is None:
            return "removed: what it follows, and all before"
        last = f"{self.last[0]}-{self.last[1]}"
        if entry[:2] <= self.last[:2]:
            return "added: there is an entry of this position"
        if entry.seq == 0 and (entry.follows_epoch or 0, entry.follows_seq or 0) <= self.last[:2]:
            return f"added, or changed: it does not follow {last}, the entry before it"
        return f"removed: the entries between {last} and this one, and no gap says so"

    def _check_changes(self, entry: StoredEntry, rows: Sequence[StoredChange]) -> Problem | None:
        if len(rows) != entry.changes:
            missing = sorted(set(range(entry.changes)) - {row.ordinal for row in rows})
            if missing:
                return self._problem(entry, f"removed: its change {missing[0]} of {entry.changes}")
            return self._problem(entry, f"added: it has {entry.changes} changes, and there are {len(rows)}")
        keys = self._keys
        for ordinal, row in enumerate(rows):
            name = _market_of(row.change)
            key = keys.get(name)
            if key is None:
                key = keys[name] = key_of(name.decode(errors="replace"))
            if row.ordinal != ordinal or row.key != key or row.at_ms != entry.at_ms:
                return self._problem(entry, f"changed: its change {ordinal} is that of another market, time or place")
        return None

    def _mismatch(
        self,
        entry: StoredEntry,
        previous: bytes,
        following: Sequence[StoredEntry],
        changes: Mapping[tuple[int, int], Sequence[StoredChange]],
    ) -> Problem:
        """Return what became of an entry whose bytes do not lead to its digest: that depends on the next one."""
        for other in following:
            contents = [
                b"".join([each.head, *[row.change for row in changes.get(each[:2], ())], each.tail]) for each in (entry, other)
            ]
            as_first = hashlib.sha256(previous + contents[1]).digest()
            as_second = hashlib.sha256(as_first + contents[0]).digest()
            if as_second in {entry.digest, other.digest}:
                return self._problem(entry, f"swapped with {other.epoch}-{other.seq}")
            if as_first == other.digest:
                return self._problem(entry, "added: the next entry follows the one before it")
        return self._problem(entry, _CHANGED)

    def _problem(self, entry: StoredEntry, what: str) -> Problem:
        return Problem(self._chain, f"entry {entry.epoch}-{entry.seq}", entry.at_ms, what)

    def end(self, epoch: int, seq: int, digest: bytes) -> Problem | None:
        """Check that the chain ends where the archiver has ended."""
        last = self.last or (0, 0, b"")
        if last[:2] < (epoch, seq):
            return Problem(self._chain, f"entry {epoch}-{seq}", 0, f"removed: the end of the chain, after {last[0]}-{last[1]}")
        if last[:2] > (epoch, seq):
            return Problem(self._chain, f"entry {last[0]}-{last[1]}", self._last_ms, f"added: the chain ends with {epoch}-{seq}")
        if last[2] != digest:
            return Problem(
                self._chain, f"entry {epoch}-{seq}", self._last_ms, "computed anew: the archiver has another digest of it"
            )
        return None


def _market_of(change: bytes) -> bytes:
    """Return the id in a change: MessagePack of bytes, in which an array begins with its tag and the id."""
    start = change.find(_TAG, 0, _HEADS)
    if start < 0:
        return b""
    start += len(_TAG)
    kind = change[start]
    if kind & 0xE0 == 0xA0:  # noqa: PLR2004 - fixstr of MessagePack
        return change[start + 1 : start + 1 + (kind & 0x1F)]
    return change[start + 2 : start + 2 + change[start + 1]] if kind == 0xD9 else b""  # noqa: PLR2004 - str 8
