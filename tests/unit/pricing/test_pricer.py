"""From a source's books to the published market."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange, SelectionDefinition
from oddsengine.domain.ids import SelectionKey
from oddsengine.domain.ladders import BETFAIR
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.pricing.market.outcomes import outcome_groups
from oddsengine.pricing.methods.fair import ExchangeLimits, fair_from_exchange
from oddsengine.pricing.methods.implied import implied_by_exchange
from oddsengine.pricing.pricer import Pricer, Repricing
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import SourceMarket
from tests.support.builders import a_definition, a_quote, an_event
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from oddsengine.domain.offered_market import OfferedMarket

LIMITS = ExchangeLimits(max_spread=0.2, min_size=2.0)
TRADED = ExchangeLimits(max_spread=0.2, min_size=2.0, last_traded=True)


def a_market(definition: Any, *books: BookChange) -> SourceMarket:
    market = SourceMarket("src", "1.1")
    market.define(definition)
    for change in books:
        market.books.setdefault(change.selection, SelectionBook()).apply(change)
    return market


def whole(priced: Repricing) -> OfferedMarket:
    assert priced.market is not None
    return priced.market


def price_of(market: SourceMarket, **profile: Any) -> OfferedMarket:
    assert market.definition is not None
    return whole(Pricer({"default": Profile(**profile)}).price(market, market.definition))


def prices(offered: OfferedMarket) -> dict[str, int | None]:
    return {key: selection.prices[0] for key, selection in offered.selections.items()}


def test_the_fair_price_is_between_back_and_lay_closer_to_the_thinner_side() -> None:
    """In probability space: much money available to back at 2.0 means that 2.0 is too long."""
    even = fair_from_exchange((2.0, 100.0), (2.2, 100.0), None, LIMITS)
    pressed = fair_from_exchange((2.0, 900.0), (2.2, 100.0), None, LIMITS)
    assert even is not None
    assert pressed is not None
    assert (1 / 2.0 + 1 / 2.2) / 2 == pytest.approx(even.probability)
    assert 1 / 2.2 < pressed.probability < even.probability


@pytest.mark.parametrize(
    ("back", "lay", "why"),
    [
        ((2.0, 50.0), (2.5, 50.0), "wider than the spread"),
        ((2.0, 1.0), (2.1, 50.0), "too little size to back"),
        ((2.0, 50.0), (2.1, 1.0), "too little size to lay"),
        (None, (2.0, 50.0), "nothing to back"),
    ],
)
def test_the_last_trade_replaces_a_book_outside_the_limits_where_enabled(back: Any, lay: Any, why: str) -> None:
    assert (0.5, "last_traded") == fair_from_exchange(back, lay, 2.0, TRADED), why
    assert fair_from_exchange(back, lay, None, TRADED) is None
    assert fair_from_exchange(back, lay, 2.0, LIMITS) is None


@pytest.mark.parametrize(
    ("back", "lay", "last"),
    [
        ((1.2, 500.0), (1.55, 500.0), 2.0),
        ((1.2, 500.0), (1.55, 500.0), 1.19),
        (None, (1.3, 500.0), 2.0),
        ((2.0, 50.0), None, 1.9),
        ((2.0, 1.0), (2.1, 1.0), 2.2),
        ((2.2, 50.0), (2.0, 50.0), 2.1),
    ],
)
def test_a_last_trade_outside_its_own_book_is_not_used(back: Any, lay: Any, last: float) -> None:
    """A crossed book has no price between its back and its lay."""
    assert fair_from_exchange(back, lay, last, TRADED) is None


def test_a_shallow_book_still_bounds_the_last_trade() -> None:
    """A book under `min_depth` has no fair price of its own."""
    book = SelectionBook()
    limits = msgspec.structs.replace(TRADED, min_depth=50.0)
    for last, fair in ((1.95, None), (2.0, (0.5, "last_traded")), (2.15, None)):
        book.apply(BookChange("", back_levels=[(0, 2.0, 10.0)], lay_levels=[(0, 2.1, 10.0)], last=last))
        assert fair == implied_by_exchange(book, limits)


def traded_at(
    key: str, last: float, *, back: tuple[float, float] | None = None, lay: tuple[float, float] | None = None
) -> BookChange:
    """An order book of at most one (odds, size) a side, and a last trade."""
    sides = [[] if side is None else [(0, *side)] for side in (back, lay)]
    return BookChange(f"s-{key}", back_levels=sides[0], lay_levels=sides[1], last=last)


def test_a_last_trade_does_not_complete_a_book_by_default() -> None:
    """A runner without offers has no price and leaves the other one under its own best lay."""
    market = a_market(a_definition(), traded_at("home", 1.26, back=(1.25, 100.0), lay=(1.27, 100.0)), traded_at("away", 2.0))
    assert {"home": 1190, "away": None} == prices(price_of(market))


def test_a_market_that_reopens_is_not_priced_on_earlier_trades_by_default() -> None:
    definition = a_definition(selections=("home", "draw", "away"))
    market = a_market(definition, traded_at("home", 2.0, lay=(1.3, 500.0)), traded_at("draw", 3.6), traded_at("away", 4.2))
    offered = price_of(market)
    assert ("suspended", "no_price") == status(offered)
    assert {None} == set(prices(offered).values())


def test_a_wide_book_is_not_priced_on_its_last_trade_by_default() -> None:
    market = a_market(
        a_definition(),
        traded_at("home", 2.0, back=(1.2, 500.0), lay=(1.55, 500.0)),
        traded_at("away", 2.0, back=(2.0, 100.0), lay=(2.02, 100.0)),
    )
    assert ("suspended", "incoherent") == status(price_of(market))


def test_a_wide_book_is_not_priced_on_a_last_trade_outside_it() -> None:
    market = a_market(
        a_definition(),
        traded_at("home", 2.0, back=(1.2, 500.0), lay=(1.55, 500.0)),
        traded_at("away", 2.0, back=(2.0, 100.0), lay=(2.02, 100.0)),
    )
    assert ("suspended", "incoherent") == status(price_of(market, exchange=ExchangeLimits(last_traded=True)))


def test_prices_have_the_margin_and_are_on_the_ladder() -> None:
    offered = price_of(a_market(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)), book_sum=1.05)
    assert "open" == offered.state.status
    assert {"home": 1900, "away": 1900} == prices(offered)


def test_the_book_sum_is_never_under_the_target() -> None:
    """Every price is rounded down."""
    offered = price_of(
        a_market(
            a_definition(selections=("home", "draw", "away")),
            *(a_quote(key, odds) for key, odds in (("home", 1.95), ("draw", 3.6), ("away", 4.7))),
        )
    )
    assert fsum(1000 / price for price in prices(offered).values() if price) >= 1.05
    assert all(price in BETFAIR for price in prices(offered).values() if price)


def test_a_removed_selection_is_not_part_of_the_book() -> None:
    definition = a_definition(selections=("home", "draw", "away"), removed=("draw",), type="winner")
    offered = price_of(a_market(definition, a_quote("home", 2.0), a_quote("draw", 3.0), a_quote("away", 2.0)))
    assert {"home": 1900, "draw": None, "away": 1900} == prices(offered)


def test_a_selection_without_a_price_does_not_affect_the_others() -> None:
    offered = price_of(a_market(a_definition(selections=("home", "draw", "away")), a_quote("home", 2.0), a_quote("draw", 4.0)))
    assert {"home": 1900, "draw": 3800, "away": None} == prices(offered)


@pytest.mark.parametrize(
    ("definition", "books", "status", "reason"),
    [
        (a_definition(), (), "suspended", "no_price"),
        (a_definition(), (a_quote("home", 1.5), a_quote("away", 1.4)), "suspended", "incoherent"),
        (a_definition(winners=0), (a_quote("home", 2.0), a_quote("away", 2.0)), "suspended", "not_priceable"),
        (a_definition(status="suspended"), (a_quote("home", 2.0), a_quote("away", 2.0)), "suspended", "provider"),
        (a_definition(status="closed"), (a_quote("home", 2.0), a_quote("away", 2.0)), "closed", None),
    ],
)
def test_an_unpriceable_market_is_suspended_with_the_reason(definition: Any, books: Any, status: str, reason: str | None) -> None:
    offered = price_of(a_market(definition, *books))
    assert (status, reason) == (offered.state.status, offered.state.reason)
    assert {None} == set(prices(offered).values())


def test_several_winners_share_the_book() -> None:
    definition = a_definition(selections=("a", "b", "c", "d"), winners=2, type="place")
    offered = price_of(a_market(definition, *(a_quote(key, 2.0) for key in "abcd")), book_sum=1.1)
    assert {1810} == set(prices(offered).values())


def test_odds_beyond_the_limits_of_the_profile() -> None:
    market = a_market(a_definition(), a_quote("home", 1.0035, spread=0.001), a_quote("away", 300.0))
    assert {"home": None, "away": 100000} == prices(price_of(market, max_odds=100.0))


def test_each_line_of_an_asian_handicap_is_a_separate_book() -> None:
    lines = [("1@-0.5", -0.5), ("2@0.5", 0.5), ("1@0.25", 0.25), ("2@-0.25", -0.25)]
    definition = a_definition(type="asian_handicap")
    selections = tuple(SelectionDefinition(ref, SelectionKey(ref), ref, "active", handicap) for ref, handicap in lines)
    groups = outcome_groups(msgspec.structs.replace(definition, selections=selections))
    assert [["1@-0.5", "2@0.5"], ["1@0.25", "2@-0.25"]] == [[selection.key for selection in group.selections] for group in groups]


def test_the_margin_of_bookmaker_odds_is_replaced() -> None:
    quotes = [BookChange(f"s-{key}", quote=odds) for key, odds in (("home", 2.1), ("draw", 3.4), ("away", 3.9))]
    definition = a_definition(selections=("home", "draw", "away"))
    offered = price_of(a_market(definition, *quotes), devig="shin", method="odds_ratio", book_sum=1.05)
    assert {"home": 2040, "draw": 3300, "away": 3800} == prices(offered)


def test_incomplete_bookmaker_odds_are_not_used() -> None:
    definition = a_definition(selections=("home", "draw", "away"))
    quotes = [BookChange(f"s-{key}", quote=odds) for key, odds in (("home", 2.1), ("draw", 3.4), ("away", 3.9))]
    assert ("suspended", "no_price") == status(price_of(a_market(definition, *quotes[:2])))
    withdrawn = [*quotes, BookChange("s-draw", quote=0.0)]
    assert ("suspended", "no_price") == status(price_of(a_market(definition, *withdrawn)))


def test_bookmaker_odds_of_several_winners() -> None:
    quotes = [BookChange(f"s-{key}", quote=1.8) for key in "abcd"]
    offered = price_of(
        a_market(a_definition(selections=tuple("abcd"), winners=2, type="place"), *quotes), book_sum=1.0, devig="power"
    )
    assert {2000} == set(prices(offered).values())


def test_a_skew_shortens_the_favourite_and_lengthens_the_longshot() -> None:
    market = a_market(a_definition(), a_quote("home", 1.5), a_quote("away", 3.0))
    unskewed, skewed = (prices(price_of(market, ladder="decimal_3", skew=skew)) for skew in (1.0, 1.2))
    assert skewed["home"] < unskewed["home"]  # type: ignore[operator]
    assert skewed["away"] > unskewed["away"]  # type: ignore[operator]


@given(
    odds=st.lists(st.floats(2.2, 30.0), min_size=3, max_size=8),
    skew=st.floats(0.5, 2.0),
    shift=st.floats(-0.5, 0.5),
    ladder=st.sampled_from(["betfair", "traditional", "american", "decimal_2", "decimal_3"]),
    method=st.sampled_from(["multiplicative", "additive", "power", "odds_ratio", "shin", "goto"]),
    book_sum=st.floats(1.0, 1.3),
)
def test_no_published_book_sum_is_below_the_target(
    odds: list[float], skew: float, shift: float, ladder: str, method: Any, book_sum: float
) -> None:
    """Over all ladders, methods, skews and shifts; a missing price counts as none offered."""
    total = fsum(1 / each for each in odds)
    keys = tuple(f"k{number}" for number in range(len(odds)))
    books = [a_quote(key, each * total) for key, each in zip(keys, odds, strict=True)]
    market = a_market(a_definition(selections=keys), *books)
    offered = price_of(market, skew=skew, shift={"k0": shift}, ladder=ladder, method=method, book_sum=book_sum)
    published = list(prices(offered).values())
    if None not in published:
        assert fsum(1000 / price for price in published if price) >= book_sum - 1e-6


def status(offered: OfferedMarket) -> tuple[str, str | None]:
    return offered.state.status, offered.state.reason


KEYS = ("a", "b", "c", "d")
METHODS = ("multiplicative", "power", "odds_ratio")
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.one_of(st.none(), st.floats(1.02, 60.0)),
        st.floats(0.001, 0.2),
        st.floats(0.0, 50.0),
        st.one_of(st.none(), st.floats(1.01, 900.0)),
        st.one_of(st.none(), st.none(), st.none(), st.sampled_from([0.0, 2.0, 3.5, 4.2])),
    ),
    max_size=40,
)


@examples(100)
@given(
    changes=CHANGES, method=st.sampled_from(METHODS), book_sum=st.floats(1.0, 1.3), max_odds=st.sampled_from([1000.0, 50.0, 33.3])
)
def test_incremental_prices_are_the_reference_prices(changes: Any, method: Any, book_sum: float, max_odds: float) -> None:
    """Law: whatever moved before, and with several profiles at once."""
    profiles = {
        "first": Profile(method=method, book_sum=book_sum, max_odds=max_odds, exchange=TRADED),
        "second": Profile(book_sum=1.1, min_odds=1.2, exchange=ExchangeLimits(last_traded=True)),
        "third": Profile(book_sum=1.02, exchange=TRADED, devig="power", skew=1.1, shift={"a": 0.1}),
    }
    definition = a_definition(selections=KEYS)
    market = a_market(definition)
    pricer = Pricer(profiles)
    offer = OwnedOffer(tuple(profiles))
    offer.stage_event(an_event())
    for key, odds, spread, size, last, quote in changes:
        rows = [] if odds is None else [(0, odds, size)]
        lay = [] if odds is None else [(0, odds * (1 + spread), size)]
        market.books.setdefault(f"s-{key}", SelectionBook()).apply(
            BookChange("", back_levels=rows, lay_levels=lay, last=last, quote=quote)
        )
        priced = pricer.price(market, definition)
        if priced.market is None:
            offer.stage_prices(definition.id, priced.changes)
        else:
            offer.stage_market(priced.market)
        record = offer.markets[definition.id]
        reference_of = {name: priced for name, (_, priced) in pricer.explain(market, definition).items()}
        refusal = next((each.refusal for each in reference_of.values() if each.refusal), None)
        if record.state.reason == "arbitrage":
            best = [max(priced.selections[each].price or 0 for priced in reference_of.values()) for each in KEYS]
            assert fsum(1000 / price for price in best) < 1
            continue
        assert refusal == record.state.reason
        if refusal is None:
            for name, reference_prices in reference_of.items():
                index = list(profiles).index(name)
                for selection, reference in reference_prices.selections.items():
                    assert reference.price == record.selections[selection].prices[index], (name, selection)
