"""What a market carries, as clients end up with it: a diff from any position gives what a snapshot would."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.client import OddsState
from oddsengine.domain.changes import MarketIdentity, MarketState, MarketTerms
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection
from oddsengine.gateway.protocol import encoders
from oddsengine.gateway.protocol.encoders import JSON, MSGPACK, Encoding
from oddsengine.offer.offer import BEGINNING
from oddsengine.offer.owned_offer import OwnedOffer
from tests.support.builders import an_event
from tests.support.laws.examples import examples

SCOPE = "event:e1"
amounts = st.sampled_from([None, 0.0, 50.0])
terms = st.builds(MarketTerms, st.booleans(), amounts, amounts)
moves = st.tuples(
    st.sampled_from([1.5, 2.5, 3.5]),
    st.sampled_from([1500, 1900, 2600]),
    st.sampled_from(["open", "open", "suspended"]),
    st.just(()) | st.tuples(terms, terms),
    st.permutations([0, 1]),
)


def message(offer: OwnedOffer, since: int, encoding: Encoding) -> dict[str, Any]:
    """A snapshot, or the delta since a position, of the second profile."""
    changes = offer.changes_since(since, SCOPE)
    parts = (
        [encoders.event_change(event, encoding) for event in changes.events],
        [encoders.market_change(market, 1, "decimal", encoding) for market in changes.markets],
    )
    if since == BEGINNING:
        encoded = encoders.snapshot(SCOPE, "x", *parts, encoding=encoding)
    else:
        encoded = encoders.delta(encoders.delta_head(SCOPE, encoding), encoders.delta_stamp("x", 1, encoding), *parts, encoding)
    return msgspec.json.decode(encoded) if encoding is JSON else msgspec.msgpack.decode(encoded)  # type: ignore[no-any-return]


def markets(state: OddsState) -> dict[str, Any]:
    """The markets of a state; a null says that there is no limit or delay any more, as its absence does."""
    return {
        key: {name: value for name, value in market.items() if value is not None or name not in {"limit", "bet_delay_s"}}
        for key, market in state.markets.items()
    }


@pytest.mark.parametrize("encoding", [JSON, MSGPACK], ids=["json", "msgpack"])
@examples(60)
@given(batches=st.lists(st.lists(moves, min_size=1, max_size=4), min_size=1, max_size=6))
def test_a_client_at_any_position_ends_in_the_state_of_a_snapshot(encoding: Encoding, batches: list[list[Any]]) -> None:
    offer = OwnedOffer(("default", "gold"))
    offer.open_epoch(1)
    offer.stage_event(an_event("e1"))
    offer.commit(0)
    clients: list[tuple[int, OddsState]] = []
    for number, batch in enumerate(batches):
        for line, under, status, held, (first, second) in batch:
            selections = {
                "under": OfferedSelection("Under", "active", (under, None if held and held[1].suspended else under), None, first),
                "over": OfferedSelection("Over", "active", (1900, None if held and held[1].suspended else 1900), None, second),
            }
            identity = MarketIdentity(EventId("e1"), "total", "ft", line)
            state = MarketState(status, None if status == "open" else "provider", False, held)
            offer.stage_market(OfferedMarket(MarketId(f"e1/total/ft/{line}"), identity, state, selections))
        offer.commit(20_000 * number)
        client = OddsState()
        client.apply(message(offer, BEGINNING, encoding))
        clients.append((offer.seq, client))
    fresh = markets(clients[-1][1])
    for seq, client in clients:
        client.apply(message(offer, seq, encoding))
        assert fresh == markets(client), seq
