"""Betfair's market change messages, with the pitfalls that users of other clients have reported."""

from __future__ import annotations

import orjson
import pytest

from feeds.adapters.betfair.market_stream import MarketStream
from feeds.feed import Dropped, Rejected
from oddsengine.domain.feed_updates import EventUpdate, MarketGone, MarketUpdate, SourceStatus, UpdateBatch
from oddsengine.sourcing.dump import dump_market
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import betfair_market, mcm


class Received:
    """A market stream and the source book that its updates build."""

    def __init__(self) -> None:
        self.stream = MarketStream("betfair")
        self.book = SourceBook("betfair")
        self.rejected: list[Rejected] = []
        self.dropped: list[Dropped] = []
        self.updates: list[object] = []

    def receive(self, *lines: bytes) -> Received:
        for line in lines:
            for event in self.stream.read_line(line):
                if isinstance(event, UpdateBatch):
                    self.updates += event.updates
                    for update in event.updates:
                        self.book.apply(update, event.published_ms or 0)
                elif isinstance(event, Rejected):
                    self.rejected.append(event)
                elif isinstance(event, Dropped):
                    self.dropped.append(event)
        return self

    def runner(self, runner: str, market: str = "1.1") -> dict[str, object]:
        found = dump_market(self.book.markets[market], 0)["runners"][runner]
        assert isinstance(found, dict)
        return found


def with_prices(market: dict[str, object], *rc: dict[str, object]) -> dict[str, object]:
    return {**market, "rc": list(rc)}


def test_an_image_then_deltas_by_price() -> None:
    received = Received().receive(
        mcm(with_prices(betfair_market(), {"id": 11, "atb": [[2.0, 10], [1.9, 5]], "atl": [[2.2, 3]], "ltp": 2.1})),
        mcm({"id": "1.1", "rc": [{"id": 11, "atb": [[2.0, 0], [1.8, 4]]}]}),
    )
    assert {"status": "active", "back": [[1.9, 5], [1.8, 4]], "lay": [[2.2, 3]], "last": 2.1} == received.runner("11")


def test_a_definition_repeated_with_another_version_is_the_same_market() -> None:
    """Pricing keeps what it has of a market while its definition is the same object."""
    received = Received().receive(mcm(betfair_market(version=1)))
    first = received.book.markets["1.1"].definition
    received.receive(mcm(betfair_market(version=2)))
    assert first is received.book.markets["1.1"].definition
    received.receive(mcm(betfair_market(version=3, status="SUSPENDED")))
    assert "suspended" == getattr(received.book.markets["1.1"].definition, "status", None)


def test_deltas_by_level() -> None:
    received = Received().receive(
        mcm(with_prices(betfair_market(), {"id": 11, "batb": [[0, 2.0, 10], [1, 1.9, 5]]})),
        mcm({"id": "1.1", "rc": [{"id": 11, "batb": [[0, 1.95, 7], [1, 0, 0]]}]}),
    )
    assert [[1.95, 7]] == received.runner("11")["back"]


def test_zero_rows_and_deletes_of_unknown_levels_are_harmless() -> None:
    """betfairlightweight #32."""
    received = Received().receive(
        mcm(betfair_market()),
        mcm({"id": "1.1", "rc": [{"id": 11, "batb": [[0, 0, 0], [7, 0, 0]], "atb": [[3.0, 0]]}]}),
    )
    assert [] == received.runner("11")["back"]
    assert [] == received.rejected


def test_a_runner_is_keyed_by_id_and_handicap() -> None:
    received = Received().receive(
        mcm(with_prices(betfair_market("1.1", (11, -0.25), (11, 0.5)), {"id": 11, "hc": -0.25, "atb": [[1.9, 1]]})),
        mcm({"id": "1.1", "rc": [{"id": 11, "hc": 0.5, "atb": [[1.4, 2]]}]}),
    )
    assert [[1.9, 1]] == received.runner("11@-0.25")["back"]
    assert [[1.4, 2]] == received.runner("11@0.5")["back"]


def test_a_handicap_of_null_is_no_handicap() -> None:
    received = Received().receive(
        mcm(with_prices(betfair_market("1.1", 11, 22), {"id": 11, "hc": None, "atb": [[1.9, 1]]})),
        mcm({"id": "1.1", "rc": [{"id": 11, "hc": 0, "atb": [[1.8, 2]]}, {"id": 22, "hc": None, "ltp": 2.0}]}),
    )
    assert ([], [[1.9, 1], [1.8, 2]]) == (received.rejected, received.runner("11")["back"])
    assert 2.0 == received.runner("22")["last"]


@pytest.mark.parametrize("field", ["inPlay", "numberOfWinners", "version", "bettingType", "marketType", "runners", "eventTypeId"])
def test_a_null_in_a_definition_is_a_field_that_is_not_there(field: str) -> None:
    received = Received().receive(mcm(betfair_market("1.1", **{field: None})))
    assert ([], {"1.1"}) == (received.rejected, set(received.book.markets))


def test_a_market_is_rejected_for_a_null_it_can_not_do_without() -> None:
    received = Received().receive(
        mcm(betfair_market("1.1", status=None), with_prices(betfair_market("1.2"), {"id": 11, "atb": [[None, 1]]}))
    )
    assert ["market 1.1", "market 1.2"] == [rejected.where for rejected in received.rejected]


def test_an_image_of_one_market_replaces_it_and_no_other() -> None:
    received = Received().receive(
        mcm(
            with_prices(betfair_market("1.1"), {"id": 11, "atb": [[2.0, 1]]}),
            with_prices(betfair_market("1.2"), {"id": 11, "atb": [[3.0, 1]]}),
        ),
        mcm(with_prices(betfair_market("1.1"), {"id": 22, "atb": [[1.5, 1]]})),
    )
    assert [] == received.runner("11")["back"]
    assert [[3.0, 1]] == received.runner("11", "1.2")["back"]


def test_an_unrequested_image_replaces_everything() -> None:
    """A market that it does not list is gone."""
    received = Received().receive(
        mcm(betfair_market("1.1"), betfair_market("1.2"), ct="SUB_IMAGE"),
        mcm(betfair_market("1.2"), ct="SUB_IMAGE"),
    )
    assert ["1.2"] == list(received.book.markets)
    assert MarketGone("1.1") in received.updates


def test_of_two_images_of_one_market_the_higher_version_wins() -> None:
    """betfairlightweight #295; in either order."""
    newer = with_prices(betfair_market(version=9), {"id": 11, "atb": [[2.0, 1]]})
    older = with_prices(betfair_market(version=8), {"id": 11, "atb": [[5.0, 1]]})
    for pair in ((newer, older), (older, newer)):
        received = Received().receive(mcm(*pair, ct="SUB_IMAGE"))
        assert [[2.0, 1]] == received.runner("11")["back"]


def test_an_older_definition_opens_nothing_again_except_in_an_image() -> None:
    received = Received().receive(mcm(betfair_market(version=1), pt=1000))

    def status_after(version: int, status: str, pt: int, *, image: bool = False) -> object:
        received.receive(mcm({**betfair_market(version=version, status=status), "img": image}, pt=pt))
        return getattr(received.book.markets["1.1"].definition, "status", None)

    assert "suspended" == status_after(5, "SUSPENDED", 5000)
    assert "suspended" == status_after(3, "OPEN", 3000)
    assert "open" == status_after(6, "OPEN", 6000)
    assert "suspended" == status_after(3, "SUSPENDED", 7000, image=True)
    assert "open" == status_after(4, "OPEN", 8000)


def test_a_definition_may_arrive_after_the_image() -> None:
    """betfairlightweight #314: prices wait for the definition of their market."""
    nameless = {"id": "1.1", "img": True, "rc": [{"id": 11, "atb": [[2.0, 1]]}]}
    received = Received().receive(mcm(nameless, ct="SUB_IMAGE"))
    assert received.book.markets["1.1"].definition is None
    definition = betfair_market()["marketDefinition"]
    received.receive(mcm({"id": "1.1", "marketDefinition": definition}))
    assert [[2.0, 1]] == received.runner("11")["back"]
    assert "active" == received.runner("11")["status"]


def test_a_runner_may_be_only_in_the_definition_or_only_in_the_prices() -> None:
    """betfairlightweight #320, #373."""
    received = Received().receive(mcm(with_prices(betfair_market("1.1", 11), {"id": 99, "atb": [[2.0, 1]]})))
    assert {"status": "active", "back": [], "lay": [], "last": None} == received.runner("11")
    assert {"status": None, "back": [[2.0, 1]], "lay": [], "last": None} == received.runner("99")


def test_a_market_may_be_first_seen_closed_and_may_reopen() -> None:
    """flumine #172 and #235."""
    received = Received().receive(mcm(betfair_market(status="CLOSED")))
    assert "closed" == received.book.markets["1.1"].definition.status  # type: ignore[union-attr]
    received.receive(mcm(betfair_market(status="OPEN")))
    assert "open" == received.book.markets["1.1"].definition.status  # type: ignore[union-attr]


def test_segments_are_applied_together_with_the_last() -> None:
    received = Received().receive(
        mcm(betfair_market("1.1"), ct="SUB_IMAGE", segmentType="SEG_START"),
        mcm(betfair_market("1.2"), ct="SUB_IMAGE", segmentType="SEG"),
    )
    assert {} == received.book.markets
    received.receive(mcm(betfair_market("1.3"), ct="SUB_IMAGE", segmentType="SEG_END"))
    assert ["1.1", "1.2", "1.3"] == list(received.book.markets)


def test_a_message_of_an_old_subscription_is_dropped() -> None:
    """betfairlightweight #410."""
    received = Received()
    received.stream.subscription = 5
    received.receive(mcm(betfair_market(), id=4))
    assert {} == received.book.markets
    assert [Dropped("old subscription")] == received.dropped


def test_503_means_lagging_until_a_message_arrives_without_it() -> None:
    received = Received().receive(orjson.dumps({"op": "mcm", "id": 2, "status": 503}))
    assert "lagging" == received.book.health
    received.receive(orjson.dumps({"op": "mcm", "id": 2, "status": 503}))
    received.receive(mcm(ct="HEARTBEAT"))
    assert "live" == received.book.health
    assert 2 == sum(isinstance(update, SourceStatus) for update in received.updates)


@pytest.mark.parametrize("odds", [b'"two"', b"1e400", b"[2.0]", b"-1", b'"NaN"'])
def test_only_the_invalid_market_is_rejected_and_named(odds: bytes) -> None:
    bad = {"id": "1.2", "rc": [{"id": 11, "atb": [["ODDS", 5]]}]}
    message = mcm(betfair_market("1.1"), bad, betfair_market("1.3")).replace(b'"ODDS"', odds)
    received = Received().receive(message)
    assert ["1.1", "1.3"] == list(received.book.markets)
    assert ["market 1.2"] == [rejected.where for rejected in received.rejected]
    assert "atb" in received.rejected[0].reason or odds == b"1e400"


def test_invalid_messages_are_rejected_with_a_reason() -> None:
    received = Received().receive(b"not json", b'{"op":', b"[]", b'{"op":7}', b'{"op":"mcm","mc":"x"}', b"\xff\xfe")
    assert 6 == len(received.rejected)
    assert all(rejected.reason for rejected in received.rejected)


def test_numbers_may_be_strings() -> None:
    """Betfair's own samples contain such numbers."""
    received = Received().receive(mcm({"id": "1.1", "img": True, "rc": [{"id": "42153", "batb": [[0, 2.7, 179.35]]}]}))
    assert [[2.7, 179.35]] == received.runner("42153")["back"]


def test_other_operations_are_dropped() -> None:
    received = Received().receive(b'{"op":"ocm","id":1,"pt":5}', b'{"op":"rcm","id":2,"clk":"1","pt":5,"rc":[]}')
    assert [Dropped("op ocm"), Dropped("op rcm")] == received.dropped


def test_an_event_is_published_only_when_it_changes() -> None:
    received = Received().receive(
        mcm(betfair_market("1.1")),
        mcm(betfair_market("1.2")),
        mcm(betfair_market("1.1", inPlay=True)),
        mcm(betfair_market("1.2")),
    )
    published = [update.event.in_play for update in received.updates if isinstance(update, EventUpdate)]
    assert [False, True] == published
    assert 4 == sum(isinstance(update, MarketUpdate) for update in received.updates)


@pytest.mark.parametrize(
    "change",
    [
        {"atb": [[0.5, 10]]},
        {"atl": [["NaN", 10]]},
        {"batb": [[0, "Infinity", 10]]},
        {"atb": [[2.0, "NaN"]]},
        {"ltp": "NaN"},
        {"ltp": -110},
        {"hc": "NaN", "atb": [[2.0, 10]]},
    ],
)
def test_what_is_no_price_costs_only_its_market(change: dict[str, object]) -> None:
    """Text may say `NaN`, as it does for starting prices."""
    markets = [with_prices(betfair_market(key), {"id": 11, **each}) for key, each in (("1.1", change), ("1.2", {"ltp": 2.0}))]
    received = Received().receive(mcm(*markets))
    assert ["market 1.1"] == [rejected.where for rejected in received.rejected]
    assert ["1.2"] == list(received.book.markets)
