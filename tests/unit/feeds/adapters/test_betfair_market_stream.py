"""Betfair's market change messages, and the traps that users of other clients have reported (FEEDS.md)."""

from __future__ import annotations

import orjson

from feeds.adapters.betfair.market_stream import MarketStream
from feeds.feed import Dropped, Rejected
from oddsengine.domain.feed_updates import EventUpdate, MarketGone, MarketUpdate, SourceStatus, UpdateBatch
from oddsengine.sourcing.dump import dump_market
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import betfair_market, mcm


class Heard:
    """A stream, and the book that what it says makes."""

    def __init__(self) -> None:
        self.stream = MarketStream("betfair")
        self.book = SourceBook("betfair")
        self.rejected: list[Rejected] = []
        self.dropped: list[Dropped] = []
        self.updates: list[object] = []

    def hear(self, *lines: bytes) -> Heard:
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
    heard = Heard().hear(
        mcm(with_prices(betfair_market(), {"id": 11, "atb": [[2.0, 10], [1.9, 5]], "atl": [[2.2, 3]], "ltp": 2.1})),
        mcm({"id": "1.1", "rc": [{"id": 11, "atb": [[2.0, 0], [1.8, 4]]}]}),
    )
    assert {"status": "active", "back": [[1.9, 5], [1.8, 4]], "lay": [[2.2, 3]], "last": 2.1} == heard.runner("11")


def test_deltas_by_level() -> None:
    heard = Heard().hear(
        mcm(with_prices(betfair_market(), {"id": 11, "batb": [[0, 2.0, 10], [1, 1.9, 5]]})),
        mcm({"id": "1.1", "rc": [{"id": 11, "batb": [[0, 1.95, 7], [1, 0, 0]]}]}),
    )
    assert [[1.95, 7]] == heard.runner("11")["back"]


def test_rows_of_zeros_and_deletes_of_levels_never_seen_are_harmless() -> None:
    """betfairlightweight #32."""
    heard = Heard().hear(
        mcm(betfair_market()),
        mcm({"id": "1.1", "rc": [{"id": 11, "batb": [[0, 0, 0], [7, 0, 0]], "atb": [[3.0, 0]]}]}),
    )
    assert [] == heard.runner("11")["back"]
    assert [] == heard.rejected


def test_a_runner_is_keyed_by_id_and_handicap() -> None:
    heard = Heard().hear(
        mcm(with_prices(betfair_market("1.1", (11, -0.25), (11, 0.5)), {"id": 11, "hc": -0.25, "atb": [[1.9, 1]]})),
        mcm({"id": "1.1", "rc": [{"id": 11, "hc": 0.5, "atb": [[1.4, 2]]}]}),
    )
    assert [[1.9, 1]] == heard.runner("11@-0.25")["back"]
    assert [[1.4, 2]] == heard.runner("11@0.5")["back"]


def test_an_image_of_one_market_replaces_it_and_no_other() -> None:
    heard = Heard().hear(
        mcm(
            with_prices(betfair_market("1.1"), {"id": 11, "atb": [[2.0, 1]]}),
            with_prices(betfair_market("1.2"), {"id": 11, "atb": [[3.0, 1]]}),
        ),
        mcm(with_prices(betfair_market("1.1"), {"id": 22, "atb": [[1.5, 1]]})),
    )
    assert [] == heard.runner("11")["back"]
    assert [[3.0, 1]] == heard.runner("11", "1.2")["back"]


def test_an_unasked_image_replaces_everything() -> None:
    """What it does not name is gone."""
    heard = Heard().hear(
        mcm(betfair_market("1.1"), betfair_market("1.2"), ct="SUB_IMAGE"),
        mcm(betfair_market("1.2"), ct="SUB_IMAGE"),
    )
    assert ["1.2"] == list(heard.book.markets)
    assert MarketGone("1.1") in heard.updates


def test_of_two_images_of_one_market_the_higher_version_wins() -> None:
    """betfairlightweight #295; whatever their order."""
    newer = with_prices(betfair_market(version=9), {"id": 11, "atb": [[2.0, 1]]})
    older = with_prices(betfair_market(version=8), {"id": 11, "atb": [[5.0, 1]]})
    for pair in ((newer, older), (older, newer)):
        heard = Heard().hear(mcm(*pair, ct="SUB_IMAGE"))
        assert [[2.0, 1]] == heard.runner("11")["back"]


def test_an_image_may_lack_its_definition_and_get_it_later() -> None:
    """betfairlightweight #314: prices wait for the definition that says what they are prices of."""
    nameless = {"id": "1.1", "img": True, "rc": [{"id": 11, "atb": [[2.0, 1]]}]}
    heard = Heard().hear(mcm(nameless, ct="SUB_IMAGE"))
    assert heard.book.markets["1.1"].definition is None
    definition = betfair_market()["marketDefinition"]
    heard.hear(mcm({"id": "1.1", "marketDefinition": definition}))
    assert [[2.0, 1]] == heard.runner("11")["back"]
    assert "active" == heard.runner("11")["status"]


def test_a_runner_may_be_only_in_the_definition_or_only_in_the_prices() -> None:
    """betfairlightweight #320, #373."""
    heard = Heard().hear(mcm(with_prices(betfair_market("1.1", 11), {"id": 99, "atb": [[2.0, 1]]})))
    assert {"status": "active", "back": [], "lay": [], "last": None} == heard.runner("11")
    assert {"status": None, "back": [[2.0, 1]], "lay": [], "last": None} == heard.runner("99")


def test_a_market_may_be_first_seen_closed_and_may_reopen() -> None:
    """flumine #172 and #235."""
    heard = Heard().hear(mcm(betfair_market(status="CLOSED")))
    assert "closed" == heard.book.markets["1.1"].definition.status  # type: ignore[union-attr]
    heard.hear(mcm(betfair_market(status="OPEN")))
    assert "open" == heard.book.markets["1.1"].definition.status  # type: ignore[union-attr]


def test_segments_belong_together_and_nothing_is_said_before_the_last() -> None:
    heard = Heard().hear(
        mcm(betfair_market("1.1"), ct="SUB_IMAGE", segmentType="SEG_START"),
        mcm(betfair_market("1.2"), ct="SUB_IMAGE", segmentType="SEG"),
    )
    assert {} == heard.book.markets
    heard.hear(mcm(betfair_market("1.3"), ct="SUB_IMAGE", segmentType="SEG_END"))
    assert ["1.1", "1.2", "1.3"] == list(heard.book.markets)


def test_a_message_of_an_old_subscription_is_dropped() -> None:
    """betfairlightweight #410."""
    heard = Heard()
    heard.stream.subscription = 5
    heard.hear(mcm(betfair_market(), id=4))
    assert {} == heard.book.markets
    assert [Dropped("old subscription")] == heard.dropped


def test_503_means_lagging_until_a_message_comes_without_it() -> None:
    heard = Heard().hear(orjson.dumps({"op": "mcm", "id": 2, "status": 503}))
    assert "lagging" == heard.book.health
    heard.hear(orjson.dumps({"op": "mcm", "id": 2, "status": 503}))
    heard.hear(mcm(ct="HEARTBEAT"))
    assert "live" == heard.book.health
    assert 2 == sum(isinstance(update, SourceStatus) for update in heard.updates)


def test_one_bad_market_is_rejected_alone_and_named() -> None:
    bad = {"id": "1.2", "rc": [{"id": 11, "atb": [["two", 5]]}]}
    heard = Heard().hear(mcm(betfair_market("1.1"), bad, betfair_market("1.3")))
    assert ["1.1", "1.3"] == list(heard.book.markets)
    assert ["market 1.2"] == [rejected.where for rejected in heard.rejected]
    assert "atb" in heard.rejected[0].reason


def test_rubbish_is_rejected_with_its_reason() -> None:
    heard = Heard().hear(b"not json", b'{"op":', b"[]", b'{"op":7}', b'{"op":"mcm","mc":"x"}', b"\xff\xfe")
    assert 6 == len(heard.rejected)
    assert all(rejected.reason for rejected in heard.rejected)


def test_numbers_written_as_strings_are_read() -> None:
    """Betfair's own samples have them."""
    heard = Heard().hear(mcm({"id": "1.1", "img": True, "rc": [{"id": "42153", "batb": [[0, 2.7, 179.35]]}]}))
    assert [[2.7, 179.35]] == heard.runner("42153")["back"]


def test_other_operations_are_counted_and_left_out() -> None:
    heard = Heard().hear(b'{"op":"ocm","id":1,"pt":5}', b'{"op":"rcm","id":2,"clk":"1","pt":5,"rc":[]}')
    assert [Dropped("op ocm"), Dropped("op rcm")] == heard.dropped


def test_an_event_is_told_when_it_changes_and_only_then() -> None:
    heard = Heard().hear(
        mcm(betfair_market("1.1")),
        mcm(betfair_market("1.2")),
        mcm(betfair_market("1.1", inPlay=True)),
        mcm(betfair_market("1.2")),
    )
    told = [update.event.in_play for update in heard.updates if isinstance(update, EventUpdate)]
    assert [False, True] == told
    assert 4 == sum(isinstance(update, MarketUpdate) for update in heard.updates)
