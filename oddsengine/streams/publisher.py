"""Publishes one shard: one atomic call per flush, fenced by epochs, safe to repeat."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.domain.changes import Batch
from oddsengine.streams.errors import Fenced, PositionLost
from oddsengine.streams.follower import read_snapshot, read_top
from oddsengine.streams.positions import Position, parse_stream_id
from oddsengine.streams.snapshot import obsolete_keys, record_key

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.streams.keys import ShardKeys

#: About 30 minutes at ten flushes a second. A follower that lags more than that reloads the snapshot.
STREAM_ENTRIES_KEPT: Final = 20_000
#: A week.
RESULTS_TTL_S: Final = 604_800.0

encode = msgspec.msgpack.Encoder().encode


def load_script(name: str) -> str:
    """Return the source of a Lua script."""
    return files("oddsengine.streams").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


class Publication(msgspec.Struct, frozen=True):
    """An encoded batch. Writing it again has no further effect."""

    seq: int
    arguments: tuple[bytes | str | int, ...]
    #: the markets that leave the offer with results, each encoded
    settled: tuple[tuple[str, bytes], ...] = ()


def prepare(offer: OwnedOffer, batch: Batch) -> Publication:
    """Encode the batch that an offer has just committed, with the snapshot fields it changes."""
    update = offer.snapshot_update(batch)
    fields: list[bytes | str | int] = []
    for record in update.written:
        fields.append(record_key(record))
        fields.append(encode(record))
    arguments = (encode(batch), STREAM_ENTRIES_KEPT, len(update.written), *fields, *obsolete_keys(update))
    return Publication(offer.seq, arguments, tuple([(settled.market.id, encode(settled)) for settled in update.settled]))


class Publisher:
    """The writing end of one shard.

    Args:
        redis: a client that returns bytes.
        shard: the shard's number, for errors.
        keys: the shard's keys.
        offer: the published state. The publisher opens its epochs.
        results_ttl_s: how long the results of a market are kept once it has left the offer; 0: not at all.
    """

    def __init__(
        self, redis: Redis, shard: int, keys: ShardKeys, offer: OwnedOffer, results_ttl_s: float = RESULTS_TTL_S
    ) -> None:
        self._redis = redis
        self._shard = shard
        self._shard_keys = keys
        self._keys = list(keys)
        self._results_ttl_ms = round(results_ttl_s * 1000)
        self.offer = offer
        self._publish = redis.register_script(load_script("publish"))
        self._claim = redis.register_script(load_script("claim"))

    async def load(self) -> None:
        """Load what the last owner published, so that versions continue from there."""
        top = await read_top(self._redis, self._keys[0])
        records = await read_snapshot(self._redis, self._keys[1])
        profiles = self.offer.profiles
        self.offer.load(top.epoch, top.seq, records)
        if self.offer.profiles != profiles:
            # The loaded prices are of other profiles, so nothing can be kept.
            self.offer.load(top.epoch, top.seq, [])
            self.offer.adopt_profiles(profiles)

    async def claim(self, now_ms: int) -> None:
        """Open an epoch above every earlier one and write the whole state in it.

        An epoch is at least the time in seconds, so that epochs grow even if Redis has lost its data.

        Args:
            now_ms: Unix milliseconds.
        """
        while True:
            top = await read_top(self._redis, self._keys[0])
            epoch = max(top.epoch + 1, self.offer.epoch + 1, now_ms // 1000)
            self.offer.open_epoch(epoch)
            fields: list[bytes | str | int] = []
            for record in self.offer.records():
                fields.append(record_key(record))
                fields.append(encode(record))
            if await self._claim(keys=self._keys, args=[epoch, encode(Batch(now_ms)), *fields]) == b"OK":
                return

    async def publish(self, publication: Publication) -> None:
        """Write a batch. May be repeated after a connection error.

        Raises:
            Fenced: if another engine owns the shard.
            PositionLost: if Redis no longer has our last entry.
        """
        epoch = self.offer.epoch
        keys, args = self._keys, [epoch, publication.seq, *publication.arguments]
        settled = publication.settled if self._results_ttl_ms else ()
        if settled:
            keys = [*keys, *(self._shard_keys.result(market) for market, _ in settled)]
            args += [*(result for _, result in settled), self._results_ttl_ms]
        reply = await self._publish(keys=keys, args=args)
        if reply == b"OK":
            return
        top = parse_stream_id(reply)
        if top.epoch > epoch:
            raise Fenced(self._shard, epoch, top)
        for market, result in settled:
            # The claim that follows writes what is on offer, which these markets have left.
            await self._redis.set(self._shard_keys.result(market), result, px=self._results_ttl_ms)
        raise PositionLost(self._shard, Position(epoch, publication.seq - 1), top)
