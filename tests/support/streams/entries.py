"""What an owner has committed, as it arrives at a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.domain.changes import Changes
from oddsengine.gateway.protocol import encoders
from oddsengine.offer.entries.entry import decode_entry, entry_of

if TYPE_CHECKING:
    from oddsengine.domain.changes import Batch
    from oddsengine.gateway.state.flush_changes import FlushChanges
    from oddsengine.offer.entries.entry import Entry
    from oddsengine.offer.owned_offer import OwnedOffer

_encode: Final = msgspec.msgpack.Encoder().encode


def sent(offer: OwnedOffer, batch: Batch) -> Entry:
    """Return the entry of the batch that an offer has just committed, through bytes: nothing is shared with the owner."""
    return decode_entry(_encode(entry_of(offer, batch)))


def changes_in(flush: FlushChanges, profiles: int = 1) -> Changes:
    """Return the changes of a flush, having checked that its runs fit, and that what is ready is what would be encoded."""
    assert len(flush.markets) == sum(count for _, count in flush.runs)
    markets = [flush.change(index) for index in range(len(flush.markets))]
    assert list(flush.markets) == [market.id for market in markets]
    for place in range(profiles):
        ready = flush.ready(place)
        fragments = [encoders.market_change(market, place) for market in markets]
        if ready.all is not None:
            assert fragments == ready.all
        else:
            assert all(made in {None, fragment} for made, fragment in zip(ready.some, fragments, strict=True))
    return Changes(flush.events, markets, flush.removals, flush.urgent)
