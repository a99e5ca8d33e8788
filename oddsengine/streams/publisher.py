"""Publishes one shard: one atomic call per flush, fenced by epochs, safe to repeat."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec
import structlog
from redis.exceptions import ResponseError

from oddsengine.domain.changes import Batch
from oddsengine.offer.entries.entry import Entry, entry_of, opening_of
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.chain.links import NO_LINK, Link, digest_of, find_digest
from oddsengine.streams.clients.foreign_entries import is_followed_by_foreign
from oddsengine.streams.clients.server_clock import MAX_AGE_MS, ServerClock
from oddsengine.streams.errors import Fenced, Overtaken, PositionLost, SnapshotLost, StreamError, TooLate
from oddsengine.streams.kept_entries import STREAM_BYTES_KEPT, KeptEntries
from oddsengine.streams.lua import load_script
from oddsengine.streams.positions import LAST_EPOCH, ORIGIN, Position, epoch_jump, parse_stream_id
from oddsengine.streams.snapshots.draft import DraftSnapshot
from oddsengine.streams.snapshots.refresh import REFRESH_S, SnapshotRefresh
from oddsengine.streams.snapshots.stored import obsolete_keys, read_head, read_stored, record_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio import Redis

    from oddsengine.streams.keys import ShardKeys
    from oddsengine.streams.snapshots.stored import Head, Stored

#: How many bytes of results are kept for a shard; the oldest are dropped first.
RESULTS_BYTES_KEPT: Final = 256_000_000
#: A week.
RESULTS_TTL_S: Final = 604_800.0

#: An epoch whose first batch would be larger does not say what has changed: it is in the snapshot.
_MAX_OPENING_BYTES: Final = 16_000_000
_INCOMPLETE: Final = b"INCOMPLETE"
_LATE: Final = b"LATE"
#: Redis's error where the last entries of a stream were deleted.
_ENTRIES_DELETED: Final = ("equal or smaller", "exhausted")
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


def prepare(offer: OwnedOffer, batch: Batch, sent_ms: int = 0, age_ms: int = 0) -> Publication:
    """Encode the batch that an offer has just committed, with the snapshot fields it changes; see `Entry` for the times."""
    entry = entry_of(offer, batch)
    entry.sent_ms, entry.age_ms = sent_ms, age_ms
    update = offer.snapshot_update(batch)
    changed: dict[str, bytes | None] = dict.fromkeys(obsolete_keys(update))
    for market, record in zip(entry.markets, entry.records, strict=True):
        changed[f"m:{market}"] = record
    for other in update.written:
        changed[record_key(other)] = encode(other)
    settled = tuple([(settled.market.id, encode(settled)) for settled in update.settled])
    return Publication(offer.seq, encode(entry), changed, settled)


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
        refresh_s: how often the snapshot is brought up to the stream.
        jump: returns by how much to advance a new epoch.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        redis: Redis,
        shard: int,
        keys: ShardKeys,
        offer: OwnedOffer,
        results_ttl_s: float = RESULTS_TTL_S,
        stream_bytes: int = STREAM_BYTES_KEPT,
        results_bytes: int = RESULTS_BYTES_KEPT,
        refresh_s: float = REFRESH_S,
        jump: Callable[[], int] = epoch_jump,
    ) -> None:
        self._redis = redis
        self._shard = shard
        self._shard_keys = keys
        self._keys = list(keys)
        self._results_ttl_ms = round(results_ttl_s * 1000)
        self._stream_bytes = stream_bytes
        self._results_bytes = results_bytes
        self._refresh_s = refresh_s
        self._jump = jump
        self._kept = KeptEntries(stream_bytes)
        self._refresh = SnapshotRefresh(time.monotonic, refresh_s)
        self._owner = secrets.token_hex(8)
        #: a claim that is not complete: an error has interrupted it
        self._draft: DraftSnapshot | None = None
        #: the time of Redis after which that is too old; 0 until all of it is written
        self._claim_limit_ms = 0
        #: since when a claim is tried, monotonic seconds; None if none is
        self._claimed_s: float | None = None
        #: the first entry of each epoch whose claim was given up: it may have been opened all the same
        self._given_up: dict[Position, bytes] = {}
        #: the stream's last entry that the offer takes into account, or that was sent; None for any
        self._expected: Position | None = None
        #: the last entry that is known to be written, or that the state was loaded from
        self._written = NO_LINK
        #: the entry that was sent, while it is not known whether it was written
        self._sent: Link | None = None
        #: what the batch that opens an epoch has to say
        self._unpublished: list[Batch] = []
        #: how many of those that the caller has named are in it
        self._taken = 0
        #: whether the state was built on all of what the last owner published
        self._is_whole = True
        #: the batch that opens the epoch, and how old what it says is
        self._opening = b""
        self._age_ms = 0
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
        self._expected = self._sent = None
        self._forget_claim()
        self._written, self._is_whole = NO_LINK, True
        stored = await self._read()
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
            head = await self._read_head()
            # What another server has continued may lack records.
            if (stored := await read_stored(self._redis, self._shard_keys, head)) is not None:
                return stored

    async def _read_head(self) -> Head:
        while True:
            sent_s = time.monotonic()
            head = await read_head(self._redis, self._shard_keys)
            self._server_clock.note(sent_s, head.server_ms)
            if head.top.epoch <= LAST_EPOCH:
                return head
            # It is none of ours, and no epoch could follow it.
            _log.error("entry of the end of time deleted", shard=self._shard, id=head.top.stream_id())
            await self._redis.xdel(self._shard_keys.changes, head.top.stream_id())

    async def claim(self, now_ms: int, unpublished: Sequence[Batch] = (), age_ms: int = 0) -> None:
        """Open an epoch above every earlier one and write the whole state in it.

        The state is written in pieces, invisible to followers; then the epoch is opened in one call. A claim that an error has
        interrupted continues where it was when it is repeated soon. Nothing may be staged or committed until it is complete, or
        late: then what has changed meanwhile is to be committed, and claimed with the next call.

        An epoch is at least the time in milliseconds, so that epochs grow even if Redis has lost its data; and up to a minute
        more, at random, so that none has the number of one that was lost.

        Args:
            now_ms: Unix milliseconds.
            unpublished: what the offer has committed since the state was loaded, or since our last write, and nobody has read. A
                repeated call names the same ones, and further ones after them.
            age_ms: how old the state is; see `Entry`.

        Raises:
            Overtaken: if entries were written since the state was loaded, or since our last write.
            TooLate: if the claim reached Redis too late, or was interrupted for too long.
        """
        self._age_ms = age_ms
        await self._begin_claim(now_ms, unpublished)
        while True:
            if self._draft is None:
                self._draft = DraftSnapshot(self._redis, self._shard_keys.draft(self._owner), self.offer.records())
                self._claim_limit_ms = 0
            draft = self._draft
            await draft.write()
            # A repeated call does not make the state newer.
            limit_ms = self._claim_limit_ms = self._claim_limit_ms or self._server_clock.limit_ms()
            expected = "" if self._expected is None else self._expected.stream_id()
            keys = [*self._keys, draft.key]
            opening, follows = self._opening, self._followed()
            digest = digest_of(follows.digest, opening)
            args = (self.offer.epoch, opening, draft.fields, self._owner, expected, digest, follows.encode(), limit_ms)
            reply = await self._claim(keys=keys, args=args)
            if reply == b"OK":
                break
            if reply == _INCOMPLETE:
                self._draft = None
            elif reply == _LATE:
                self._server_clock.forget()
                self._give_up()
            elif not await self._was_given_up(top := parse_stream_id(reply)):
                if self._expected is not None and top > self._expected and not await self._is_foreign(self._expected):
                    self._draft = None
                    raise Overtaken(self._shard, self._expected, top)
                self._expected = top
                if top.epoch >= self.offer.epoch:
                    # The records of the draft hold no epoch, so they need not be written again.
                    self._open_epoch(top, now_ms)
        self._forget_claim()
        self._is_whole = True
        self._expected = Position(self.offer.epoch, 0)
        self._written, self._sent = Link(self._expected, digest), None
        self._kept = KeptEntries(self._stream_bytes)
        self._refresh = SnapshotRefresh(time.monotonic, self._refresh_s)

    async def _begin_claim(self, now_ms: int, unpublished: Sequence[Batch]) -> None:
        now_s = time.monotonic()
        if self._claimed_s is None:
            self._claimed_s = now_s
        elif now_s - (self._claimed_s if self._draft is None else self._draft.written_s) > MAX_AGE_MS / 1000:
            self._give_up()
        if not self._server_clock.is_known:
            await self._read_head()
        if self._draft is None:
            self._unpublished += unpublished[self._taken :]
            self._taken = len(unpublished)
            followed = await self._redis.get(self._shard_keys.lowest_epoch)
            self._open_epoch(Position(int(followed) if followed and followed.isdigit() else 0, 0), now_ms)

    def _give_up(self) -> NoReturn:
        """Abandon a claim whose state is too old."""
        position = Position(self.offer.epoch, 0)
        if self._draft is not None:
            self._given_up[position] = digest_of(self._followed().digest, self._opening)
        self._draft = self._claimed_s = None
        raise TooLate(self._shard, position)

    def _forget_claim(self) -> None:
        self._draft = self._claimed_s = None
        self._unpublished, self._taken = [], 0
        self._given_up.clear()

    async def _was_given_up(self, top: Position) -> bool:
        """Check whether the stream ends with a claim of ours that has arrived although it was given up: the next follows it."""
        if top not in self._given_up:
            return False
        entries: Any = await self._redis.xrevrange(self._shard_keys.changes, count=1)
        if not entries or parse_stream_id(entries[0][0]) != top or find_digest(entries[0][1]) != self._given_up[top]:
            return False
        self._expected, self._sent = top, None
        self._written = Link(top, self._given_up.pop(top))
        return True

    def _open_epoch(self, top: Position, now_ms: int) -> None:
        staged = self.offer.open_epoch(max(top.epoch + 1, self.offer.epoch + 1, now_ms) + self._jump())
        self._unpublished.append(Batch(now_ms, staged.events, staged.markets, staged.removals))
        # Not encoded again when the claim is repeated: an entry that is already written keeps its digest.
        bare = Entry(0, now_ms, sent_ms=now_ms, age_ms=self._age_ms)
        opening = opening_of(self.offer, self._unpublished, now_ms) if self._is_whole else bare
        opening.sent_ms, opening.age_ms = bare.sent_ms, bare.age_ms
        self._opening = encode(opening)
        if len(self._opening) > _MAX_OPENING_BYTES:
            self._opening = encode(bare)

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
            if not any(text in str(error) for text in _ENTRIES_DELETED):
                raise
            reply = _INCOMPLETE
        if type(reply) is int:
            self._server_clock.note(sent_s, reply)
            self._written, self._sent = self._sent, None
            self._refresh.wrote()
            return
        self._sent = None
        self._expected = Position(epoch, publication.seq - 1)
        lost: StreamError = SnapshotLost(self._shard, self._expected)
        # It may be that of another server.
        self._server_clock.forget()
        if reply == _LATE:
            lost = TooLate(self._shard, Position(epoch, publication.seq))
        elif reply != _INCOMPLETE:
            top = parse_stream_id(reply)
            if top.epoch > epoch and not await self._is_foreign(self._expected):
                raise Fenced(self._shard, epoch, top)
            lost = PositionLost(self._shard, self._expected, top)
            self._expected = top
        for market, result in settled:
            # The claim that follows writes what is on offer, which these markets have left.
            await self._redis.set(self._shard_keys.result(market), result, px=self._results_ttl_ms)
        raise lost

    async def _is_foreign(self, position: Position) -> bool:
        return await is_followed_by_foreign(self._redis, self._shard_keys.changes, position)

    async def _write(self, epoch: int, publication: Publication, digest: bytes, settled: tuple[tuple[str, bytes], ...]) -> Any:
        keys = self._keys
        piece = self._refresh.piece(publication.seq, publication.changed)
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
