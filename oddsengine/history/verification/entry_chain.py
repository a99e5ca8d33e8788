"""The chain of the entries of a shard, with the changes that they consist of. Pure."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.ids import EventId, shard_of
from oddsengine.history.rows.cutting import CLOCK_TOLERANCE_MS, clamp_time, cut_or_keep
from oddsengine.history.rows.tables import key_of
from oddsengine.history.verification.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeAlias

    from oddsengine.history.rows.tables import GapBody

    #: a row of the database, or a tuple
    Row: TypeAlias = Sequence[Any]

#: The tag of a market's record, and how far from the start its array begins at most.
_TAG: Final = b"\xa1m"
_HEADS: Final = 10
#: What no change begins with.
_NOTHING: Final = b"\xc1"
_CHANGED: Final = "changed: its bytes do not lead to its digest"


class _EntryHead(msgspec.Struct, array_like=True, gc=False):
    """The beginning of an `Entry`, of which nothing else is decoded: what it says of the rows that it became."""

    seq: int
    ts_ms: int
    commands: int = 0
    urgent: int = 0
    events: msgspec.Raw = msgspec.Raw()
    removals: msgspec.Raw = msgspec.Raw()
    markets: msgspec.Raw = msgspec.Raw()
    runs: msgspec.Raw = msgspec.Raw()
    records: list[msgspec.Raw] = []


_decode_head: Final = msgspec.msgpack.Decoder(_EntryHead).decode


class StoredEntry(NamedTuple):
    """The columns of `entries` that a chain needs."""

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
    """The columns of `changes` that a chain needs."""

    epoch: int
    seq: int
    ordinal: int
    at_ms: int
    key: int
    change: bytes


#: A row may have further columns.
_ENTRY: Final = len(StoredEntry._fields)
_CHANGE: Final = len(StoredChange._fields)
#: The columns up to the digest.
_DIGEST: Final = StoredEntry._fields.index("digest") + 1


class Anchor(NamedTuple):
    """A position whose digest is known from elsewhere, and from where."""

    digest: bytes
    source: str


def kept_anchors(
    anchors: Mapping[tuple[int, int], Anchor], dropped: Mapping[tuple[int, int], tuple[int, int, bytes]]
) -> dict[tuple[int, int], Anchor]:
    """Return the anchors of entries that are not on dropped days.

    Args:
        anchors: all of a shard.
        dropped: see `EntryChain`.
    """
    starts = sorted(dropped)

    def is_kept(at: tuple[int, int]) -> bool:
        place = bisect_left(starts, at)
        return not place or at > dropped[starts[place - 1]][:2]

    return {at: anchor for at, anchor in anchors.items() if is_kept(at)}


class EntryChain:
    """Checks the entries of a shard one after another.

    Args:
        shard: the shard.
        gaps: what the records say of the gaps of the shard, by the position of the entry after each; without the digest of its
            content where that is not known any more.
        anchors: what is known from elsewhere of positions whose entries are kept.
        dropped: by the position before entries that are not kept any more, the last of these and its digest.
        shards: how many shards the installation has.
    """

    def __init__(
        self,
        shard: int,
        gaps: Mapping[tuple[int, int], GapBody],
        anchors: Mapping[tuple[int, int], Anchor],
        dropped: Mapping[tuple[int, int], tuple[int, int, bytes]],
        shards: int,
    ) -> None:
        self._shard = shard
        self._shards = shards
        self._dropped = dropped
        self._chain = f"shard {shard}"
        self._gaps = gaps
        self._anchors = anchors
        #: the last entry checked; None where nothing before is known
        self.last: tuple[int, int, bytes] | None = None
        #: its time; None where that is not known
        self.last_ms: int | None = 0
        #: the positions of anchors that were there
        self.met: set[tuple[int, int]] = set()
        #: key of a market -> the bytes that its changes begin with, after their sizes
        self._prefixes: dict[int, bytes] = {}

    def check(self, entries: Sequence[Row], changes: Sequence[Row], *, is_first: bool) -> Problem | None:
        """Check the next entries, and return the first problem. This is what verifying takes its time for.

        Args:
            entries: rows with the columns of `StoredEntry`, in order.
            changes: rows with the columns of `StoredChange`, in order: all between the first and the last of these entries.
            is_first: whether what the first entry follows is not known, because older days are not kept or not asked for.
        """
        sha256, prefixes = hashlib.sha256, self._prefixes
        place, count = 0, len(changes)
        last_epoch, last_seq, last_digest = self.last or (0, 0, None)
        for number, row in enumerate(entries):
            epoch, seq, at_ms, size, head, tail, digest = row[:_DIGEST]
            if seq == last_seq + 1 and epoch == last_epoch and last_digest is not None:
                previous: bytes | None = last_digest
            else:
                previous, problem = self._previous(StoredEntry(*row[:_ENTRY]), is_known=not (is_first and number == 0))
                if problem is not None:
                    return problem
            first, place, parts = place, place + size, [head]
            for ordinal, change in enumerate(changes[first:place]):
                of_epoch, of_seq, of_ordinal, of_ms, key, piece = change[:_CHANGE]
                prefix = prefixes.get(key, _NOTHING)
                if of_seq != seq or of_epoch != epoch or of_ordinal != ordinal or of_ms != at_ms:
                    break
                if not (piece.startswith(prefix, 3) or piece.startswith(prefix, 4) or self._is_of(key, piece)):
                    break
                parts.append(piece)
            if len(parts) <= size or (place < count and changes[place][1] == seq and changes[place][0] == epoch):
                return self._check_changes(
                    StoredEntry(*row[:_ENTRY]), [StoredChange(*each[:_CHANGE]) for each in changes[first:]]
                )
            parts.append(tail)
            content = b"".join(parts)
            if previous is None:
                gap = self._gaps.get((epoch, seq))
                if gap is not None and gap.content and sha256(content).digest() != gap.content:
                    return self._problem(StoredEntry(*row[:_ENTRY]), _CHANGED)
            elif digest and sha256(previous + content).digest() != digest and not self._is_after_gap(row, content):
                return self._mismatch(
                    [StoredEntry(*each[:_ENTRY]) for each in entries[number : number + 2]], previous, changes[first:]
                )
            if what := self._what_is_wrong(row, parts, content, is_first=is_first and number == 0):
                return self._problem(StoredEntry(*row[:_ENTRY]), what)
            last_epoch, last_seq, last_digest = self.last = (epoch, seq, digest)
            self.last_ms = at_ms
        return self._added(StoredChange(*changes[place][:_CHANGE])) if place < count else None

    def _matches_content(self, at_ms: int, parts: list[bytes], content: bytes, *, is_first: bool) -> bool:
        """Check whether an entry has the time, and the changes, that its bytes say. Its parts joined are these bytes."""
        try:
            decoded = _decode_head(content)
        except DECODING_ERRORS:
            pass
        else:
            if decoded.ts_ms == at_ms and list(map(bytes, decoded.records)) == parts[1:-1]:
                return True
        head, pieces, tail, entry = cut_or_keep(content)
        if parts != [head, *pieces, tail]:
            return False
        if is_first or self.last_ms is None:
            # What it follows is on a day that is not kept, or not asked for.
            return entry is None or 0 <= at_ms - entry.ts_ms <= CLOCK_TOLERANCE_MS
        return at_ms == clamp_time(entry, self.last_ms)

    def _what_is_wrong(self, row: Row, parts: list[bytes], content: bytes, *, is_first: bool) -> str:
        """Return what is wrong with an entry whose bytes lead to its digest; empty if nothing is."""
        epoch, seq, at_ms = row[:3]
        if not self._matches_content(at_ms, parts, content, is_first=is_first):
            return "changed: its time, or where its changes begin and end, is not what its bytes say"
        anchor = self._anchors.get((epoch, seq))
        if anchor is None:
            return ""
        self.met.add((epoch, seq))
        if anchor.digest == row[_DIGEST - 1]:
            return ""
        return f"computed anew: {anchor.source} has another digest of it, and all up to here have changed since"

    def _added(self, change: StoredChange) -> Problem:
        where = f"change {change.ordinal} of entry {change.epoch}-{change.seq}"
        return Problem(self._chain, where, change.at_ms, "added: no entry consists of it")

    def _is_of(self, key: int, piece: bytes) -> bool:
        """Check whether a change is of the market with a key, and remember how changes of that one begin."""
        name, start, end = _market_of(piece)
        market = name.decode(errors="replace")
        if key_of(market) != key or not self._has(market):
            return False
        self._prefixes[key] = piece[start:end]
        return True

    def _has(self, market: str) -> bool:
        """Check whether a market is one of the shard, where questions about it look."""
        return shard_of(EventId(market.partition("/")[0]), self._shards) == self._shard

    def _previous(self, entry: StoredEntry, *, is_known: bool) -> tuple[bytes | None, Problem | None]:
        """Return the digest that an entry follows, None if that is not known, and what is wrong with where it is."""
        last = self.last
        if last is not None and entry.epoch == last[0] and entry.seq == last[1] + 1:
            return last[2], None
        while is_known and (after := self._dropped.get((last or (0, 0))[:2])) is not None:
            if not (last or (0, 0))[:2] < after[:2] < entry[:2]:
                break
            self.last, self.last_ms, last = after, None, after
        if last is not None and entry.epoch == last[0] and entry.seq == last[1] + 1:
            return last[2], None
        gap, follows = self._gaps.get(entry[:2]), entry.follows_digest
        is_gap = gap is not None and gap.until_digest == entry.digest and (gap.after_epoch, gap.after_seq) == (last or (0, 0))[:2]
        if is_gap or (last is None and not is_known):
            return follows, None
        if entry.seq == 0 and (entry.follows_epoch, entry.follows_seq, follows) == (last or (0, 0, b"")):
            return follows, None
        return None, self._problem(entry, self._why_unlinked(entry))

    def _is_after_gap(self, row: Row, content: bytes) -> bool:
        """Check whether a gap was noted before an entry that does not follow the one whose number comes before its own."""
        gap = self._gaps.get((row[0], row[1]))
        if gap is None or gap.until_digest != row[6] or (gap.after_epoch, gap.after_seq) != (self.last or (0, 0))[:2]:
            return False
        return not gap.content or hashlib.sha256(content).digest() == gap.content

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

    def _check_changes(self, entry: StoredEntry, rows: Sequence[StoredChange]) -> Problem:
        """Return what is wrong with the changes of an entry, among those that come next."""
        own = [row for row in rows if row[:2] == entry[:2]]
        for row in rows:
            if row[:2] < entry[:2]:
                return self._added(row)
        if len(own) != entry.changes:
            missing = sorted(set(range(entry.changes)) - {row.ordinal for row in own})
            if missing:
                return self._problem(entry, f"removed: its change {missing[0]} of {entry.changes}")
            return self._problem(entry, f"added: it has {entry.changes} changes, and there are {len(own)}")
        for ordinal, row in enumerate(own):
            market = _market_of(row.change)[0].decode(errors="replace")
            if row.key == key_of(market) and not self._has(market):
                return self._problem(entry, f"the number of shards of the installation was changed: {market} is of another one")
            if row.ordinal != ordinal or row.at_ms != entry.at_ms or not self._is_of(row.key, row.change):
                return self._problem(entry, f"changed: its change {ordinal} is that of another market, time or place")
        return self._problem(entry, _CHANGED)

    def _mismatch(self, entries: Sequence[StoredEntry], previous: bytes, changes: Sequence[Row]) -> Problem:
        """Return what became of an entry whose bytes do not lead to its digest: that depends on the next one."""
        contents = [
            b"".join([each.head, *[row[5] for row in changes if (row[0], row[1]) == each[:2]], each.tail]) for each in entries
        ]
        entry = entries[0]
        for other in entries[1:]:
            as_first = hashlib.sha256(previous + contents[1]).digest()
            as_second = hashlib.sha256(as_first + contents[0]).digest()
            if as_second in {entry.digest, other.digest}:
                return self._problem(entry, f"swapped with {other.epoch}-{other.seq}")
            if as_first == other.digest:
                return self._problem(entry, "added: the next entry follows the one before it")
        return self._problem(entry, _CHANGED)

    def _problem(self, entry: StoredEntry, what: str) -> Problem:
        return Problem(self._chain, f"entry {entry.epoch}-{entry.seq}", entry.at_ms, what)

    def end(self, epoch: int, seq: int, digest: bytes, *, is_whole: bool) -> Problem | None:
        """Check that the chain ends where the archiver has ended, and that nothing that was signed is missing.

        Args:
            epoch: where the archiver has ended.
            seq: the same.
            digest: the digest of that entry.
            is_whole: whether all entries were checked: if not, only what was signed after the end is missed.
        """
        last = self.last or (0, 0, b"")
        if last[:2] < (epoch, seq):
            return Problem(self._chain, f"entry {epoch}-{seq}", 0, f"removed: the end of the chain, after {last[0]}-{last[1]}")
        if last[:2] > (epoch, seq):
            return Problem(
                self._chain, f"entry {last[0]}-{last[1]}", self.last_ms or 0, f"added: the chain ends with {epoch}-{seq}"
            )
        if last[2] != digest:
            return Problem(
                self._chain, f"entry {epoch}-{seq}", self.last_ms or 0, "computed anew: the archiver has another digest of it"
            )
        for missing in sorted(self._anchors.keys() - self.met):
            if not is_whole and missing <= last[:2]:
                continue
            what = f"removed: {self._anchors[missing].source} was signed after it"
            return Problem(self._chain, f"entry {missing[0]}-{missing[1]}", 0, what)
        return None


def _market_of(change: bytes) -> tuple[bytes, int, int]:
    """Return the id in a change, and where it begins, with its tag, and ends.

    A change is MessagePack of bytes, in which an array begins with its tag and the id.
    """
    tag = change.find(_TAG, 0, _HEADS)
    if tag < 0:
        return b"", 0, 0
    start = tag + len(_TAG)
    kind = change[start]
    if kind & 0xE0 == 0xA0:  # noqa: PLR2004 - fixstr of MessagePack
        start, size = start + 1, kind & 0x1F
    else:
        start, size = (start + 2, change[start + 1]) if kind == 0xD9 else (start, 0)  # noqa: PLR2004 - str 8
    return change[start : start + size], tag, start + size
