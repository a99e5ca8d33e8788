"""A shard that publishes what a test or a benchmark stages, without Redis: its entries as an archiver reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from oddsengine.history.rows.shard_rows import ShardRows
from oddsengine.offer.entries.entry import entry_of, opening_of
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.streams.chain.entries import TailEntry
from oddsengine.streams.chain.links import NO_LINK, digest_of
from oddsengine.streams.positions import Position
from tests.support.builders import an_event, an_offer_of
from tests.support.streams.ends import KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from oddsengine.offer.entries.entry import Entry

_encode = msgspec.msgpack.Encoder().encode
EPOCH = 1_000_000


class SyntheticShard:
    """A shard, and the rows that an archiver makes of it. Stage in `offer`, then `publish`.

    Args:
        shard: its number.
        profiles: the profiles of its prices.
        at_ms: when its first epoch begins, Unix milliseconds.
    """

    def __init__(self, shard: int, profiles: Sequence[str], at_ms: int) -> None:
        self.offer = OwnedOffer(profiles)
        self.rows = ShardRows(shard)
        self._digest = b""
        self.offer.open_epoch(EPOCH)
        self.rows.add(self._entry(opening_of(self.offer, [], at_ms))._replace(follows=NO_LINK))

    def publish(self, at_ms: int) -> TailEntry | None:
        """Return the entry of what was staged, None if that is nothing. It is not among the rows yet."""
        batch = self.offer.commit(at_ms)
        return None if batch is None else self._entry(entry_of(self.offer, batch))

    def _entry(self, entry: Entry) -> TailEntry:
        encoded = _encode(entry)
        self._digest = digest_of(self._digest, encoded)
        return TailEntry(Position(self.offer.epoch, self.offer.seq), encoded, self._digest)


async def replace_entries(redis: Redis, count: int) -> None:
    """Replace the entries of a shard by others, at the same positions, whose prices are 3100, 3200 and so on.

    So it is where Redis comes back as it was earlier, and its owner, which has not noticed, goes on from there.
    """
    await redis.delete(KEYS.changes)
    other = SyntheticShard(0, ("default",), 1)
    for number in range(1, count + 1):
        other.offer.stage_event(an_event())
        other.offer.stage_market(an_offer_of(prices={"home": 3000 + number * 100}))
        entry = other.publish(number)
        assert entry is not None
        await redis.xadd(KEYS.changes, {"b": entry.batch, "d": entry.digest}, id=entry.position.stream_id())
    await redis.hset(KEYS.snapshot, "whole", f"{await redis.hlen(KEYS.snapshot)}@{EPOCH}-{count}")
