"""The main line: the nearest to even, until another one is clearly nearer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.changes import MarketIdentity, MarketState
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection
from oddsengine.offer.main_lines import KEPT_SUSPENDED_MS, MIN_LEAD, imbalance
from oddsengine.offer.owned_offer import OwnedOffer
from tests.support.builders import an_event

LINES = (1.5, 2.5, 3.5)


class Totals:
    """An offer of the totals of an event."""

    def __init__(self) -> None:
        self.offer = OwnedOffer()
        self.offer.open_epoch(1)
        self.offer.stage_event(an_event("e1"))
        self.changes = 0

    def stage(self, line: float, under: int | None = None, over: int | None = None, status: str = "open") -> None:
        selections = {
            key: OfferedSelection(key, "active", (price,))
            for key, price in (("under", under), ("over", over))
            if price or not under
        }
        identity = MarketIdentity(EventId("e1"), "total", "ft", line)
        state = MarketState(status, None, in_play=False)  # type: ignore[arg-type]
        self.offer.stage_market(OfferedMarket(MarketId(f"e1/{line}"), identity, state, selections))

    def main(self, now_ms: int = 1) -> list[float | None]:
        batch = self.offer.commit(now_ms)
        self.changes += 0 if batch is None else len(batch.markets)
        return [market.identity.line for market in self.offer.markets.values() if market.state.main_line]


def test_the_line_nearest_to_even_is_the_main_one() -> None:
    totals = Totals()
    for line, under, over in ((1.5, 3000, 1400), (2.5, 1900, 1950), (3.5, 1400, 3000)):
        totals.stage(line, under, over)
    assert [2.5] == totals.main()
    totals.stage(2.5, 1800, 2050)
    totals.stage(3.5, 1750, 2150)
    assert [2.5] == totals.main(), "another one is hardly nearer"
    totals.changes = 0
    totals.stage(2.5, 1500, 2700)
    assert ([3.5], 2) == (totals.main(), totals.changes)
    totals.stage(2.5, 1400, 2900)
    assert ([3.5], 3) == (totals.main(), totals.changes), "only what really changes is published"


def test_an_epoch_hours_ahead_of_the_time_does_not_keep_a_suspended_main_line() -> None:
    totals = Totals()
    for line, under, over in ((1.5, 3000, 1400), (2.5, 1900, 1950)):
        totals.stage(line, under, over)
    totals.main(now_ms=1)
    totals.stage(2.5, 1900, 1950, status="suspended")
    totals.offer.open_epoch(3_600_000)
    assert [2.5] == totals.main(now_ms=2)
    assert [1.5] == totals.main(now_ms=1 + KEPT_SUSPENDED_MS)


def test_a_market_without_lines_is_neither_a_main_line_nor_another() -> None:
    totals = Totals()
    totals.offer.stage_market(
        OfferedMarket(MarketId("e1/x"), MarketIdentity(EventId("e1"), "match_odds"), MarketState("open", None, False), {})
    )
    totals.main()
    assert totals.offer.markets[MarketId("e1/x")].state.main_line is None


def test_a_main_line_is_kept_while_it_is_suspended_for_a_moment() -> None:
    totals = Totals()
    totals.stage(2.5, 1900, 1900)
    totals.stage(3.5, 1400, 3000)
    assert [2.5] == totals.main(1)
    totals.offer.suspend(MarketId("e1/2.5"), "provider")
    assert [2.5] == totals.main(2)
    assert [2.5] == totals.main(KEPT_SUSPENDED_MS)
    assert [3.5] == totals.main(2 + KEPT_SUSPENDED_MS)
    totals.stage(2.5, 1900, 1900)
    assert [2.5] == totals.main(3 + KEPT_SUSPENDED_MS)
    totals.stage(2.5, status="closed")
    assert [3.5] == totals.main(4 + KEPT_SUSPENDED_MS), "not once it is closed"


def test_a_new_owner_keeps_the_main_line() -> None:
    totals = Totals()
    totals.stage(2.5, 1800, 2050)
    totals.stage(3.5, 1400, 3000)
    totals.main()
    totals.stage(3.5, 1850, 2000)
    totals.main()
    totals.offer.load(2, 0, list(totals.offer.records()))
    totals.stage(3.5, 1850, 1990)
    assert [2.5] == totals.main()


prices = st.integers(1010, 5000)


@given(st.lists(st.tuples(st.sampled_from(LINES), prices, prices, st.sampled_from(["open", "open", "suspended"])), max_size=12))
def test_no_open_line_is_clearly_nearer_to_even_than_an_open_main_line(moves: list[tuple[float, int, int, str]]) -> None:
    totals = Totals()
    for line, under, over, status in moves:
        before = totals.main()
        totals.stage(line, under, over, status)
        main = totals.main()
        distances = {market.identity.line: imbalance(market) for market in totals.offer.markets.values()}
        known = {line: distance for line, distance in distances.items() if distance is not None}
        assert len(main) == bool(known) or (main == before)
        if main and main[0] in known:
            assert known[main[0]] - min(known.values()) < MIN_LEAD
