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

if TYPE_CHECKING:
    from collections.abc import Sequence

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
