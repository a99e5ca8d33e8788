"""A Betfair Asian handicap as one market per line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.adapters.betfair.market_stream import MarketStream
from feeds.adapters.betfair.markets import runner_ref
from oddsengine.domain.feed_updates import MarketGone, UpdateBatch
from oddsengine.domain.results import HALF_LOST, HALF_WON, LOST, VOID, WON
from oddsengine.sourcing.dump import dump_book
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import betfair_market, mcm

if TYPE_CHECKING:
    from collections.abc import Iterable

RUNNERS: tuple[tuple[int, float], ...] = ((11, -1.5), (22, 1.5), (11, -0.25), (22, 0.25), (11, 0.0), (22, 0.0))
LINES = ["1.24@-1.5", "1.24@-0.25", "1.24@0"]


def a_handicap(*runners: tuple[int, float], **definition: Any) -> dict[str, Any]:
    fields = {"marketType": "ASIAN_HANDICAP", "bettingType": "ASIAN_HANDICAP_DOUBLE_LINE", "eventName": "A v B"} | definition
    return betfair_market("1.24", *(runners or RUNNERS), **fields)


def prices(*rows: tuple[int, float | None, float], market: str = "1.24", **fields: Any) -> dict[str, Any]:
    """Prices of runners by id and handicap, None for no `hc`."""
    rc = [{"id": runner, **({} if hc is None else {"hc": hc}), "atb": [[price, 10]]} for runner, hc, price in rows]
    return {"id": market, "rc": rc, **fields}


class Received:
    """What the source book holds, by the ids of markets and selections."""

    def __init__(self) -> None:
        self.stream = MarketStream("betfair")
        self.book = SourceBook("betfair")
        self.gone: list[str] = []

    def receive(self, *changes: dict[str, Any], **fields: Any) -> Received:
        for event in self.stream.read_line(mcm(*changes, **fields)):
            assert isinstance(event, UpdateBatch), event
            for update in event.updates:
                self.book.apply(update, 0)
                if isinstance(update, MarketGone):
                    self.gone.append(update.market)
        return self

    def backs(self, line: str) -> dict[str, float | None]:
        """The best back of each selection of a line."""
        market = self.book.markets[line]
        assert market.definition is not None
        bests = {each.key: market.books.get(each.source_id) for each in market.definition.selections}
        return {key: back[0] if book and (back := book.best()[0]) else None for key, book in bests.items()}


def test_each_line_is_a_market_with_the_ids_of_other_sources() -> None:
    received = Received().receive(a_handicap())
    assert LINES == list(received.book.markets)
    definitions = [market.definition for market in received.book.markets.values()]
    assert [
        ("betfair.900/asian_handicap/ft/-1.5", -1.5, 1),
        ("betfair.900/asian_handicap/ft/-0.25", -0.25, 1),
        ("betfair.900/asian_handicap/ft/0", 0.0, 1),
    ] == [(each.id, each.line, each.winners) for each in definitions if each]
    assert [("home", "A", 0.0), ("away", "B", 0.0)] == [
        (each.key, each.name, each.handicap)
        for each in definitions[0].selections  # type: ignore[union-attr]
    ]


def test_prices_reach_their_line() -> None:
    received = Received().receive({**a_handicap(), **prices((11, -0.25, 2.1), (22, 0.25, 1.8), (11, None, 1.5))})
    received.receive(prices((22, 0, 2.6), (22, 1.5, 1.2)))
    assert {"home": 2.1, "away": 1.8} == received.backs("1.24@-0.25")
    assert {"home": 1.5, "away": 2.6} == received.backs("1.24@0")
    assert {"home": None, "away": 1.2} == received.backs("1.24@-1.5")


def test_an_image_replaces_every_line() -> None:
    received = Received().receive({**a_handicap(), **prices((11, -0.25, 2.1), (11, 0, 1.5))})
    received.receive(prices((22, 0.25, 1.8), img=True))
    assert {"home": None, "away": 1.8} == received.backs("1.24@-0.25")
    assert {"home": None, "away": None} == received.backs("1.24@0")


def test_prices_wait_for_the_definition() -> None:
    received = Received().receive(prices((11, -0.25, 2.2), (11, None, 1.5), img=True), prices((11, -0.25, 2.1)))
    received.receive({"id": "1.24", "rc": [{"id": 11, "hc": -0.25, "atb": [[2.2, 0], [2.0, 3]]}]})
    received.receive({"id": "1.24", "marketDefinition": a_handicap()["marketDefinition"]})
    assert LINES == list(received.book.markets)
    assert {"home": 2.1, "away": None} == received.backs("1.24@-0.25")
    assert {"home": 1.5, "away": None} == received.backs("1.24@0")


def test_prices_of_a_line_wait_for_the_definition_that_has_it() -> None:
    received = Received().receive(a_handicap((11, 0.0), (22, 0.0)))
    received.receive(prices((11, -0.25, 2.1), (11, 0, 1.5)))
    received.receive({"id": "1.24", "marketDefinition": a_handicap()["marketDefinition"]})
    assert {"home": 2.1, "away": None} == received.backs("1.24@-0.25")
    assert {"home": 1.5, "away": None} == received.backs("1.24@0")


def test_what_was_held_back_is_replaced_by_an_image() -> None:
    received = Received().receive(prices((11, -0.25, 2.2)))
    received.receive({**a_handicap(), **prices((22, 0.25, 1.8))})
    assert {"home": None, "away": 1.8} == received.backs("1.24@-0.25")


def test_a_line_that_the_definition_drops_is_gone() -> None:
    received = Received().receive(a_handicap())
    received.receive({"id": "1.24", "marketDefinition": a_handicap(*RUNNERS[2:])["marketDefinition"]})
    assert (["1.24@-1.5"], LINES[1:]) == (received.gone, list(received.book.markets))


def test_a_market_that_an_image_does_not_list_is_gone_with_all_lines() -> None:
    received = Received().receive(a_handicap(), betfair_market("1.1"), ct="SUB_IMAGE")
    received.receive(betfair_market("1.1"), ct="SUB_IMAGE")
    assert (LINES, ["1.1"]) == (received.gone, list(received.book.markets))
    received.receive(prices((11, -0.25, 2.1)), a_handicap())
    assert LINES == list(received.book.markets)[1:]


def test_statuses_are_those_of_the_market() -> None:
    received = Received().receive(a_handicap())
    received.receive({"id": "1.24", "marketDefinition": a_handicap(status="SUSPENDED", inPlay=True)["marketDefinition"]})
    assert [("suspended", True)] * 3 == [
        (market.definition.status, market.definition.in_play) for market in received.book.markets.values() if market.definition
    ]


def test_results_are_read_from_all_lines() -> None:
    """After a draw: the level line is returned, and half of the quarter lines beside it."""
    statuses = {-0.5: "LOSER", -0.25: "LOSER", 0.0: "REMOVED", 0.25: "WINNER", 0.5: "WINNER"}
    runners = [
        {"id": runner, "hc": line, "status": status, "sortPriority": 1 + (runner == 22)}
        for line, status in statuses.items()
        for runner in (11, 22)
    ]
    received = Received().receive(a_handicap(status="CLOSED", runners=runners))
    results = {
        line: [each.effective_result for each in market.definition.selections]
        for line, market in received.book.markets.items()
        if market.definition
    }
    assert {
        "1.24@-0.5": [LOST, WON],
        "1.24@-0.25": [HALF_LOST, HALF_WON],
        "1.24@0": [VOID, VOID],
        "1.24@0.25": [HALF_WON, HALF_LOST],
        "1.24@0.5": [WON, LOST],
    } == results


def test_one_side_of_a_line_is_not_priced() -> None:
    received = Received().receive(a_handicap(*RUNNERS[:-1]))
    definition = received.book.markets["1.24@0"].definition
    assert definition is not None
    assert 0 == definition.winners


@pytest.mark.parametrize(("event", "line"), [("A v B", "-7.5"), ("B @ A", "7.5")])
def test_the_line_is_the_home_sides(event: str, line: str) -> None:
    received = Received().receive(a_handicap((11, -7.5), (22, 7.5), eventName=event, eventTypeId="6423"))
    definition = received.book.markets["1.24@-7.5"].definition
    assert definition is not None
    assert f"betfair.900/asian_handicap/ft/{line}" == definition.id
    assert [("home", "A"), ("away", "B")] == [(each.key, each.name) for each in definition.selections]


def test_names_may_tell_later_which_side_is_at_home() -> None:
    unnamed = a_handicap((11, -7.5), (22, 7.5), eventName=None, eventTypeId="6423")
    received = Received().receive({**unnamed, **prices((11, -7.5, 2.1), (22, 7.5, 1.8))})
    assert {"home": 2.1, "away": 1.8} == received.backs("1.24@-7.5")
    received.receive({"id": "1.24", "marketDefinition": {**unnamed["marketDefinition"], "eventName": "B @ A"}})
    assert {"home": 1.8, "away": 2.1} == received.backs("1.24@-7.5")
    assert "betfair.900/asian_handicap/ft/7.5" == received.book.markets["1.24@-7.5"].definition.id  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("market_type", "ids"),
    [
        ("ASIAN_HANDICAP", "betfair.900/asian_handicap/ft/-3.5"),
        ("HANDICAP", "betfair.900/asian_handicap/ft/-3.5"),
        ("AH_ODDS_MARKET", "betfair.900/asian_handicap/1.24@-3.5"),
        ("HALF_HANDICAP", "betfair.900/asian_handicap/1.24@-3.5"),
    ],
)
def test_only_the_handicap_of_the_whole_event_has_the_ids_of_other_sources(market_type: str, ids: str) -> None:
    received = Received().receive(a_handicap((11, -3.5), (22, 3.5), marketType=market_type))
    assert [ids] == [market.definition.id for market in received.book.markets.values() if market.definition]


def test_a_market_of_one_line_of_its_own_is_not_split() -> None:
    received = Received().receive(a_handicap((11, 0.0), (22, 0.0), marketType="DRAW_NO_BET", bettingType="ODDS"))
    received.receive(a_handicap((11, 2.5), (22, 2.5), marketType="ALT_TOTAL_GOALS"))
    assert ["1.24"] == list(received.book.markets)


def test_a_market_of_more_than_two_sides_is_not_split() -> None:
    received = Received().receive(a_handicap((11, -1.5), (22, 1.5), (33, 0.5)))
    assert ["1.24"] == list(received.book.markets)


HANDICAPS = st.sampled_from([-0.5, -0.25, 0.0, 0.25, 0.5])
ROWS = st.lists(
    st.tuples(st.sampled_from([11, 22]), HANDICAPS, st.sampled_from([1.5, 2.0, 2.5]), st.sampled_from([0, 10])), max_size=4
)
MESSAGES = st.lists(st.tuples(st.booleans(), st.none() | st.lists(HANDICAPS, unique=True, min_size=1), ROWS), max_size=8)


def sides(line: float) -> list[tuple[int, float]]:
    return [(11, line), (22, -line or 0.0)]


def refs(lines: Iterable[float]) -> set[str]:
    return {runner_ref(*side) for line in lines for side in sides(line)}


@given(MESSAGES)
def test_lines_hold_what_the_whole_market_would(messages: list[Any]) -> None:
    """Law: whatever the order of images, definitions and prices, no open line has lost or gained a price."""
    received = Received()
    expected: dict[str, dict[float, float]] = {}
    listed: set[str] | None = None
    before: set[float] = set()
    dropped: set[float] = set()
    for image, lines, rows in messages:
        change: dict[str, Any] = {"id": "1.24", "img": image, "rc": []}
        if image:
            expected, listed, dropped = {}, None, set()
        if lines is not None:
            dropped |= set() if image else before - set(lines)
            before = set(lines)
            change["marketDefinition"] = a_handicap(*(runner for line in lines for runner in sides(line)))["marketDefinition"]
            listed = refs(lines)
        for runner, line, price, size in rows:
            change["rc"].append({"id": runner, "hc": line, "atb": [[price, size]]})
            expected.setdefault(runner_ref(runner, line), {})[price] = size
        received.receive(change)
        if listed is None:
            continue
        (found,) = dump_book(received.book, 0)
        assert listed <= set(found["runners"])
        for line in before & dropped:
            definition = received.book.markets[f"1.24@{line:g}"].definition
            assert definition is not None
            assert "suspended" == definition.status
        for runner in listed - refs(dropped):
            books = sorted(([price, size] for price, size in expected.get(runner, {}).items() if size), reverse=True)
            assert books == found["runners"][runner]["back"], runner


def test_the_dump_holds_the_market_as_the_provider_has_it() -> None:
    received = Received().receive({**a_handicap(), **prices((11, -0.25, 2.1), (22, 0.25, 1.8))}, betfair_market("1.1"))
    first, second = dump_book(received.book, 5)
    assert ("1.24", "open", "1.1") == (first["market"], first["status"], second["market"])
    assert ["11@-1.5", "22@1.5", "11@-0.25", "22@0.25", "11", "22"] == list(first["runners"])
    assert [[2.1, 10]] == first["runners"]["11@-0.25"]["back"]
