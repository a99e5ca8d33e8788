"""A client decodes answers of a gateway of its own release, and of a later one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from oddsengine.client.http.decoding import decode
from oddsengine.gateway.past.messages import CommandStepsAnswer, MarketChangesAnswer, MarketThenAnswer
from oddsengine.gateway.protocol.command_messages import CommandsAnswer
from oddsengine.gateway.protocol.server_messages import EventsAnswer, MarketAnswer, QuotesChecked, SelectionWhole, Snapshot

MARKET: dict[str, Any] = {
    "id": "e1/match_odds",
    "event": "e1",
    "type": "match_odds",
    "name": "Match odds",
    "period": "ft",
    "line": None,
    "unit": None,
    "winners": 1,
    "status": "open",
    "reason": None,
    "in_play": False,
    "v": 3,
    "selections": {"home": {"name": "Home", "price": 1.9, "status": "active", "order": 0}},
    "group": "main",
    "order": 0,
}
LATER = {**MARKET, "type": "of_a_later_release", "status": "halted", "colour": "red"}
LATER["selections"] = {"home": {**MARKET["selections"]["home"], "each_way": {"places": 3}}}


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value)


def test_an_answer_is_of_the_protocols_type() -> None:
    market = decode(encoded(MARKET), MarketAnswer)
    assert isinstance(market, MarketAnswer)
    assert isinstance(market.selections["home"], SelectionWhole)
    assert (1.9, msgspec.UNSET, msgspec.UNSET) == (market.selections["home"].price, market.limit, market.on_offer)
    assert MARKET == msgspec.to_builtins(market)


def test_fields_and_values_of_a_later_release_are_no_error() -> None:
    market = decode(encoded(LATER), MarketAnswer)
    assert ("of_a_later_release", "halted", 1.9) == (market.type, market.status, market.selections["home"].price)
    snapshot = decode(encoded({"channel": "event:e1", "at": "0-1-1", "part": 1, "last": True, "markets": [LATER]}), Snapshot)
    assert isinstance(snapshot.markets, list)
    assert "e1/match_odds" == snapshot.markets[0].id
    checked = {"market": "m", "selection": "s", "result": "later", "price": "1/2", "v": 1, "was_on_offer": None, "odd": 1}
    assert "later" == decode(encoded({"quotes": [checked]}), QuotesChecked).quotes[0].result


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (EventsAnswer, {"events": []}),
        (CommandsAnswer, {"commands": []}),
        (CommandStepsAnswer, {"steps": [], "next": "x"}),
        (MarketChangesAnswer, {"profile": "p", "reaches": "t", "before": MARKET, "changes": [], "gaps": []}),
        (
            MarketThenAnswer,
            {"at": "t", "since": "t", "since_is_exact": True, "stale": False, "position": "x", "profile": "p", "market": LATER},
        ),
    ],
)
def test_every_answer_has_a_variant(kind: Any, body: dict[str, Any]) -> None:
    assert isinstance(decode(encoded({**body, "later": 1}), kind), kind)


def test_what_is_missing_or_of_another_kind_is_an_error() -> None:
    for body in ({**MARKET, "v": "three"}, {key: value for key, value in MARKET.items() if key != "v"}):
        with pytest.raises(msgspec.ValidationError):
            decode(encoded(body), MarketAnswer)
