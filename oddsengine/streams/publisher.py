"""Publishes one shard: one atomic call per flush, fenced by epochs, safe to repeat."""

from __future__ import annotations

import secrets
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from redis.exceptions import ResponseError

from oddsengine.domain.changes import Batch
from oddsengine.offer.entries.entry import Entry, entry_of, opening_of
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.chain.links import NO_LINK, Link, digest_of
from oddsengine.streams.clients.server_clock import ServerClock
from oddsengine.streams.errors import Fenced, Overtaken, PositionLost, SnapshotLost, StreamError, TooLate
from oddsengine.streams.lua import load_script
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id
from oddsengine.streams.snapshots.checkpoints import CHECKPOINT_S, Checkpoints
from oddsengine.streams.snapshots.staging import StagedSnapshot
from oddsengine.streams.snapshots.stored import obsolete_keys, read_head, read_stored, record_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from oddsengine.streams.keys import ShardKeys
    from oddsengine.streams.snapshots.stored import Stored

#: How many entries a stream keeps: about 30 minutes at ten flushes a second. A follower that lags more reloads the snapshot.
STREAM_ENTRIES_KEPT: Final = 20_000
#: How many bytes of batches a stream keeps, if those are fewer.
STREAM_BYTES_KEPT: Final = 64_000_000
#: How many bytes of results are kept for a shard; the oldest are dropped first.
RESULTS_BYTES_KEPT: Final = 256_000_000
#: A week.
RESULTS_TTL_S: Final = 604_800.0

#: An epoch whose first batch would be larger does not say what has changed: it is in the snapshot.
_MAX_OPENING_BYTES: Final = 16_000_000
_INCOMPLETE: Final = b"INCOMPLETE"
_LATE: Final = b"LATE"
#: Redis's errors where a key was replaced by another one, or its last entries were deleted.
_REPLACED: Final = ("WRONGTYPE", "equal or smaller")
encode = msgspec.msgpack.Encoder().encode
_log = structlog.get_logger(__name__)


class Publication(msgspec.Struct, frozen=True):
    """An encoded batch. Writing it again has no further effect."""

    seq: int
    batch: bytes
    #: the fields of the snapshot that it changes; None for those that it deletes
    changed: dict[str, bytes | None]
    #: the markets that leave the offer with results, each encoded
    settled: tuple[tuple[str, bytes], ...] = ()


def prepare(offer: OwnedOffer, batch: Batch) -> Publication:
    """Encode the batch that an offer has just committed, with the snapshot fields it changes."""
    entry = entry_of(offer, batch)
    update = offer.snapshot_update(batch)
    changed: dict[str, bytes | None] = dict.fromkeys(obsolete_keys(update))
    for market, record in zip(entry.markets, entry.records, strict=True):
        changed[f"m:{market}"] = record
    for other in update.written:
        changed[record_key(other)] = encode(other)
    settled = tuple([(settled.market.id, encode(settled)) for settled in update.settled])
    return Publication(offer.seq, encode(entry), changed, settled)


class KeptEntries:
    """Which entries of an epoch its stream keeps: the newest, up to a number of entries and of bytes.

    Those of the epoch before are kept until this one has a quarter of that: so a stream never holds more than 1.25 times as much,
    or one batch if that is larger.

    Args:
        limit_bytes: how many bytes of batches to keep.
    """

    def __init__(self, limit_bytes: int) -> None:
        #: may be changed
        self.limit_bytes = limit_bytes
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._newest = 0
        self._keeps_earlier = True

    def add(self, seq: int, size: int) -> None:
        """Count the batch of a position, which follows the last one."""
        if seq <= self._newest:
            return  # it is written again
        self._newest = seq
        self._sizes.append(size)
        self._bytes += size
        if self._bytes > self.limit_bytes // 4 or len(self._sizes) > STREAM_ENTRIES_KEPT // 4:
            self._keeps_earlier = False
        while len(self._sizes) > 1 and (self._bytes > self.limit_bytes or len(self._sizes) > STREAM_ENTRIES_KEPT):
            self._bytes -= self._sizes.popleft()

    def oldest(self, epoch: int, snapshot: int | None = None) -> str:
        """Return the stream id of the oldest entry to keep: none is dropped that a snapshot of a position lacks."""
        if self._keeps_earlier:
            return ORIGIN.stream_id()
        dropped = self._newest - len(self._sizes)
        return f"{epoch}-{1 + (dropped if snapshot is None else min(dropped, snapshot))}"


class Publisher:
    """The writing end of one shard.

    Args:
        redis: a client that returns bytes.
        shard: the shard's number, for errors.
        keys: the shard's keys.
        offer: the published state. The publisher opens its epochs.
        results_ttl_s: how long the results of a market are kept once it has left the offer; 0: not at all.
        stream_bytes: how many bytes of batches the stream keeps.
        results_bytes: how many bytes of results are kept, about.
        checkpoint_s: how often the snapshot is brought up to the stream.
    """

    def __init__(
        self,
        redis: Redis,
        shard: int,
        keys: ShardKeys,
        offer: OwnedOffer,
        results_ttl_s: float = RESULTS_TTL_S,
        stream_bytes: int = STREAM_BYTES_KEPT,
        results_bytes: int = RESULTS_BYTES_KEPT,
        checkpoint_s: float = CHECKPOINT_S,
    ) -> None:
        self._redis = redis
        self._shard = shard
        self._shard_keys = keys
        self._keys = list(keys)
        self._results_ttl_ms = round(results_ttl_s * 1000)
        self._stream_bytes = stream_bytes
        self._results_bytes = results_bytes
        self._checkpoint_s = checkpoint_s
        self._kept = KeptEntries(stream_bytes)
        self._checkpoints = Checkpoints(time.monotonic, checkpoint_s)
        self._owner = secrets.token_hex(8)
        #: a claim that is not complete: an error has interrupted it
        self._staged: StagedSnapshot | None = None
        #: the stream's last entry that the offer takes into account, or that was sent; None for any
        self._expected: Position | None = None
        #: the last entry that is known to be written, or that the state was loaded from
        self._written = NO_LINK
        #: the entry that was sent, while it is not known whether it was written
        self._sent: Link | None = None
        #: what the batch that opens an epoch has to say
        self._unpublished: list[Batch] = []
        #: whether the state was built on all of what the last owner published
        self._is_whole = True
        #: the batch that opens the epoch
        self._opening = b""
        self._server_clock = ServerClock()
        #: the batch that was sent last, and when it is too old for Redis
        self._limit: tuple[Position, int] = (ORIGIN, 0)
        self.offer = offer
        self._publish = redis.register_script(load_script("publish"))
        self._claim = redis.register_script(load_script("claim"))

    def keep(self, results_ttl_s: float, stream_bytes: int, results_bytes: int) -> None:
        """Keep other amounts from now on; see the arguments of the class."""
        self._results_ttl_ms = round(results_ttl_s * 1000)
        self._stream_bytes = self._kept.limit_bytes = stream_bytes
        self._results_bytes = results_bytes

    async def load(self) -> None:
        """Load what the last owner published into another offer, so that versions continue from there."""
        profiles = self.offer.profiles
        self.offer = OwnedOffer(profiles)
        self._staged = self._expected = self._sent = None
        self._written, self._is_whole = NO_LINK, True
        try:
            stored = await self._read()
        except ResponseError as error:
            if not _is_replaced(error):
                raise
            _log.error("nothing to load, a key is of another type", shard=self._shard, error=str(error))
            return
        head = stored.head
        replica = ReplicaOffer(())
        stored.load_into(replica)
        if not stored.is_whole and head.top != ORIGIN:
            _log.error("snapshot incomplete, loading what there is", shard=self._shard, markets=len(replica.markets))
            self._is_whole = False
        top = self._expected = head.top
        self._written = Link(top, head.digest)
        self.offer.load(top.epoch, top.seq, replica.records())
        self.offer.change_profiles(profiles)

    async def _read(self) -> Stored:
        while True:
            head = await read_head(self._redis, self._shard_keys)
            # What another server has continued may lack records.
            if (stored := await read_stored(self._redis, self._shard_keys, head)) is not None:
                return stored

    async def claim(self, now_ms: int, unpublished: Sequence[Batch] = ()) -> None:
        """Open an epoch above every earlier one and write the whole state in it.

        The state is written in pieces, invisible to followers; then the epoch is opened in one call. A claim that an error has
        interrupted continues where it was when it is repeated. Nothing may be staged or committed until it is complete.

        An epoch is at least the time in milliseconds, so that epochs grow even if Redis has lost its data.

        Args:
            now_ms: Unix milliseconds.
            unpublished: what the offer has committed since the state was loaded, or since our last write, and nobody has read.

        Raises:
            Overtaken: if entries were written since the state was loaded, or since our last write.
        """
        if self._staged is None:
            self._unpublished = [*unpublished]
            followed = await self._redis.get(self._shard_keys.lowest_epoch)
            self._open_epoch(Position(int(followed) if followed and followed.isdigit() else 0, 0), now_ms)
        while True:
            if self._staged is None:
                self._staged = StagedSnapshot(self._redis, self._shard_keys.staged(self._owner), self.offer.records())
            staged = self._staged
            await staged.write()
            expected = "" if self._expected is None else self._expected.stream_id()
            keys = [*self._keys, staged.key]
            opening, follows = self._opening, self._followed()
            digest = digest_of(follows.digest, opening)
            args = (self.offer.epoch, opening, staged.fields, self._owner, expected, digest, follows.encode())
            reply = await self._claim(keys=keys, args=args)
            if reply == b"OK":
                break
            if reply == _INCOMPLETE:
                self._staged = None
            else:
                top = parse_stream_id(reply)
                if self._expected is not None and top > self._expected:
                    self._staged = None
                    raise Overtaken(self._shard, self._expected, top)
                self._expected = top
                if top.epoch >= self.offer.epoch:
                    # The staged records hold no epoch, so they need not be written again.
                    self._open_epoch(top, now_ms)
        self._staged = None
        self._unpublished = []
        self._is_whole = True
        self._expected = Position(self.offer.epoch, 0)
        self._written, self._sent = Link(self._expected, digest), None
        self._kept = KeptEntries(self._stream_bytes)
        self._checkpoints = Checkpoints(time.monotonic, self._checkpoint_s)

    def _open_epoch(self, top: Position, now_ms: int) -> None:
        staged = self.offer.open_epoch(max(top.epoch + 1, self.offer.epoch + 1, now_ms))
        self._unpublished.append(Batch(now_ms, staged.events, staged.markets, staged.removals))
        # Not encoded again when the claim is repeated: an entry that is already written keeps its digest.
        self._opening = encode(opening_of(self.offer, self._unpublished, now_ms)) if self._is_whole else b""
        if not 0 < len(self._opening) <= _MAX_OPENING_BYTES:
            self._opening = encode(Entry(0, now_ms))

    def _followed(self) -> Link:
        """Return the entry that the state is built on."""
        sent = self._sent
        return sent if sent is not None and sent.position == self._expected else self._written

    async def publish(self, publication: Publication) -> None:
        """Write a batch. May be repeated after a connection error.

        Raises:
            Fenced: if another engine owns the shard.
            PositionLost: if Redis no longer has our last entry.
            SnapshotLost: if the snapshot is not what we have written.
            TooLate: if the batch reached Redis too late.
        """
        epoch = self.offer.epoch
        settled = publication.settled if self._results_ttl_ms else ()
        self._kept.add(publication.seq, len(publication.batch))
        self._expected = Position(epoch, publication.seq)
        self._sent = Link(self._expected, digest_of(self._written.digest, publication.batch))
        sent_s = time.monotonic()
        if self._limit[0] != self._expected:
            # A repeated call does not make the batch newer.
            self._limit = self._expected, self._server_clock.limit_ms()
        try:
            reply = await self._write(epoch, publication, self._sent.digest, settled)
        except ResponseError as error:
            if not _is_replaced(error):
                raise
            reply = _INCOMPLETE
        if type(reply) is int:
            self._server_clock.note(sent_s, reply)
            self._written, self._sent = self._sent, None
            self._checkpoints.wrote()
            return
        self._sent = None
        self._expected = Position(epoch, publication.seq - 1)
        lost: StreamError = SnapshotLost(self._shard, self._expected)
        if reply == _LATE:
            self._server_clock.forget()
            lost = TooLate(self._shard, Position(epoch, publication.seq))
        elif reply != _INCOMPLETE:
            top = parse_stream_id(reply)
            if top.epoch > epoch:
                raise Fenced(self._shard, epoch, top)
            lost = PositionLost(self._shard, self._expected, top)
            self._expected = top
        for market, result in settled:
            # The claim that follows writes what is on offer, which these markets have left.
            await self._redis.set(self._shard_keys.result(market), result, px=self._results_ttl_ms)
        raise lost

    async def _write(self, epoch: int, publication: Publication, digest: bytes, settled: tuple[tuple[str, bytes], ...]) -> Any:
        keys = self._keys
        piece = self._checkpoints.piece(publication.seq, publication.changed)
        oldest = self._kept.oldest(epoch, piece.before)
        args: list[Any] = [epoch, publication.seq, publication.batch, oldest, digest, self._limit[1]]
        args += [piece.before, piece.after, sum(value is not None for value in piece.changed.values())]
        for field, value in piece.changed.items():
            if value is not None:
                args += (field, value)
        args += [field for field, value in piece.changed.items() if value is None]
        if settled:
            keys = [*keys, *(self._shard_keys.result(market) for market, _ in settled), self._shard_keys.kept_results]
            args += [*(result for _, result in settled), self._results_bytes, self._results_ttl_ms]
        return await self._publish(keys=keys, args=args)


def _is_replaced(error: ResponseError) -> bool:
    return any(words in str(error) for words in _REPLACED)
