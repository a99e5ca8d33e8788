"""Which prices were on offer a moment ago."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.changes import MarketIdentity, MarketRecord, MarketState, Removal, SelectionRecord
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.gateway.state.price_history import OfferedPeriod, PriceHistory
from oddsengine.offer.entries.entry import Entry

KEEP_MS = 100
MARKET = MarketId("e1/match_odds")
PRICES = (1500, 2000, 2500)

#: The time since the last change, and the price from then on; None: suspended.
changes = st.lists(st.tuples(st.integers(0, 120), st.none() | st.sampled_from(PRICES)), min_size=1, max_size=20)


def a_change(v: int, ts_ms: int, price: int | None, *, draw: int | None = None, home_at: int | None = None) -> Entry:
    """Publish the price of the home side; that of the draw too, where the home side has changed at another position."""
    selections = {"home": SelectionRecord("Home", "active", (price,), v if home_at is None else home_at, 0, 0)}
    if draw is not None:
        selections["draw"] = SelectionRecord("Draw", "active", (draw,), v, 0, 0)
    state = MarketState("open", None, in_play=False)
    record = MarketRecord(MARKET, MarketIdentity(EventId("e1"), "match_odds"), 0, state, 0, v, v, selections)
    return Entry(v, ts_ms, markets=[MARKET], runs=[(EventId("e1"), 1)], records=[msgspec.msgpack.encode(record)])


@given(
    changes=changes,
    later_ms=st.integers(0, 150),
    price=st.sampled_from(PRICES),
    v=st.none() | st.integers(0, 20),
    lazily=st.booleans(),
    engine_ahead_ms=st.lists(st.sampled_from((-3_600_000, 0, 10_000)), min_size=20, max_size=20),
)
def test_a_price_is_found_while_it_was_on_offer_within_the_time_kept(
    changes: list[tuple[int, int | None]],
    later_ms: int,
    price: int,
    v: int | None,
    lazily: bool,
    engine_ahead_ms: list[int],
) -> None:
    """By this process's clock, whatever the engine's says and however that is set."""
    history = PriceHistory(KEEP_MS)
    now_ms = 1_000
    versions: list[tuple[int, int, int, int | None]] = []
    for number, (gap_ms, new) in enumerate(changes, 1):
        now_ms += gap_ms
        published_ms = now_ms + engine_ahead_ms[number - 1]
        versions.append((number, published_ms, now_ms, new))
        history.record(a_change(number, published_ms, new), now_ms)
        if not lazily:
            history.process()
    now_ms += later_ms
    expected = None
    for (number, from_ms, _, offered), following in zip(versions, [*versions[1:], None], strict=True):
        until_ms = None if following is None else following[1]
        in_time = following is None or following[2] >= now_ms - KEEP_MS
        if in_time and offered == price and (v is None or number <= v or until_ms is None):
            expected = OfferedPeriod(number, from_ms, until_ms)
    assert expected == history.was_on_offer(MARKET, "home", price, 0, v, now_ms)


def test_an_unknown_market_or_selection_was_not_on_offer() -> None:
    history = PriceHistory(KEEP_MS)
    history.record(a_change(1, 0, 2000), 0)
    assert history.was_on_offer(MARKET, "home", 2000, 0, None, 0)
    assert history.was_on_offer(MARKET, "away", 2000, 0, None, 0) is None
    assert history.was_on_offer(MarketId("other"), "home", 2000, 0, None, 0) is None


def test_a_removed_market_and_a_cleared_history_are_unknown() -> None:
    history = PriceHistory(KEEP_MS)
    history.record(a_change(1, 0, 2000), 0)
    history.record(Entry(2, 1, removals=[Removal("market", MARKET, EventId("e1"), "football", "cup")]), 1)
    assert history.was_on_offer(MARKET, "home", 2000, 0, None, 1) is None
    history.record(a_change(2, 2, 2000), 2)
    history.clear()
    assert history.was_on_offer(MARKET, "home", 2000, 0, None, 2) is None


def test_nothing_is_kept_where_no_time_is() -> None:
    history = PriceHistory(0)
    history.record(a_change(1, 0, 2000), 0)
    assert history.was_on_offer(MARKET, "home", 2000, 0, None, 0) is None


def test_only_changes_of_the_selection_count() -> None:
    """The price of another one moves in between."""
    history = PriceHistory(KEEP_MS)
    history.record(a_change(5, 0, 2000, draw=3000), 0)
    history.record(a_change(6, 10, 2000, draw=3100, home_at=5), 10)
    history.record(a_change(7, 20, 2100, draw=3100), 20)
    assert OfferedPeriod(5, 0, 20) == history.was_on_offer(MARKET, "home", 2000, 0, 6, 20)
    assert history.was_on_offer(MARKET, "home", 2000, 0, 4, 20) is None, "it had another price then"


def test_a_price_from_before_what_is_kept_is_found_for_any_version() -> None:
    """With which version it came is not known any more; it was on offer within the time kept."""
    history = PriceHistory(KEEP_MS)
    history.record(a_change(6, 0, 2000, draw=3100, home_at=5), 0)
    history.record(a_change(7, 20, 2100, draw=3100), 20)
    assert OfferedPeriod(6, 0, 20) == history.was_on_offer(MARKET, "home", 2000, 0, 4, 20)
