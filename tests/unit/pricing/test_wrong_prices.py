"""Inputs that must not be open at a price that nobody could mean, each the smallest of its kind."""

from __future__ import annotations

from math import fsum
from typing import Any

import msgspec
import pytest

from oddsengine.domain.feed_updates import BookChange, MarketGone, MarketUpdate, SelectionDefinition, SourceStatus
from oddsengine.domain.ids import SelectionKey
from oddsengine.pricing.methods.fair import ExchangeLimits
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import a_definition
from tests.support.pricing.priced_source import MATCH, TRADED, Source, offers, open_prices, quote, reason_of


def test_a_last_trade_does_not_contradict_the_other_side() -> None:
    """B's last trade says evens, A's book says 1.25 to 1.27."""
    source = Source(a_definition(), exchange=TRADED)
    source.update()
    prices = source.update(offers("home", 1.25, 1.27), offers("away", last=2.0))
    assert {"home": 1190, "away": None} == prices


def test_two_favourites_leave_no_room() -> None:
    """An incomplete set is not scaled down to the winners."""
    books = [offers("home", 1.25, 1.27), offers("away", 1.25, 1.27)]
    assert "incoherent" == reason_of(a_definition(selections=MATCH), *books)


def test_trades_of_before_the_market_opened_are_not_used() -> None:
    """After a goal only a lay of home says anything."""
    definition = a_definition(selections=MATCH)
    source = Source(definition, exchange=TRADED)
    source.update()
    trades = {"home": 2.0, "draw": 5.0, "away": 20.0}
    source.update(*(offers(key, odds * 0.99, odds * 1.01, last=odds) for key, odds in trades.items()))
    source.update(definition=msgspec.structs.replace(definition, status="suspended"))
    gone = [BookChange(f"s-{key}", back=[(odds * 0.99, 0.0)], lay=[(odds * 1.01, 0.0)]) for key, odds in trades.items()]
    source.update(*gone)
    prices = source.update(offers("home", lay=1.3, size=500.0), definition=definition)
    assert {None} == set(prices.values())
    assert "no_price" == source.reason


def test_a_trade_of_unknown_age_is_not_used() -> None:
    """An image, and what a source sends before it is live, repeats trades of any age."""
    books = [offers("home", 1.98, 2.02), offers("away", last=2.0)]
    source = Source(a_definition(), exchange=TRADED)
    assert source.update(*books)["away"] is None, "the first image"
    assert source.update(offers("away", last=2.0))["away"] is not None
    source.image = True
    assert source.update(*books)["away"] is not None, "as old as it was"
    source.image = True
    assert source.update(offers("home", 1.98, 2.02), offers("away", last=1.99))["away"] is None, "a new one in an image"
    source.book.apply(SourceStatus("down", "disconnected"), 0)
    assert source.update(offers("away", last=2.0))["away"] is None, "caught up with after a gap"


def test_a_last_trade_becomes_too_old() -> None:
    source = Source(a_definition(), exchange=TRADED)
    source.update()
    assert {"home": 1900, "away": 1900} == source.update(offers("home", 1.98, 2.02), offers("away", last=2.0))
    source.now_ms += 60_000
    assert [source.definition.id] == source.pricer.due(source.now_ms)
    assert source.price()["away"] is None


def test_a_wide_book_bounds_its_own_price() -> None:
    """The last trade at 2.0 is outside 1.20 to 1.55."""
    books = [offers("home", 1.2, 1.55, size=500.0, last=2.0), offers("away", 2.0, 2.02)]
    assert "incoherent" == reason_of(a_definition(), *books, exchange=TRADED)


def test_no_price_is_over_a_good_lay() -> None:
    """Thin books of the others do not scale the favourite over its best lay."""
    books = [offers("home", 2.0, 2.02, size=5000.0), offers("draw", 2.4, 2.9, size=5.0), offers("away", 2.4, 2.9, size=5.0)]
    assert open_prices(a_definition(selections=MATCH), *books).get("home", 0) <= 2020


def test_the_sides_of_a_total_bound_each_other() -> None:
    """The wide side has no price, but still says what the other one can be."""
    definition = a_definition("e1/total/h1/0.5", ("over", "under"), type="total", line=0.5)
    books = [
        BookChange("s-over", back=[(1.24, 2.0)], lay=[(1.47, 300.0)]),
        offers("under", 3.5, 4.4),
    ]
    source = Source(definition, book_sum=1.0, ladder="decimal_3")
    source.update(*books)
    assert 1294 <= (source.prices["over"] or 0) <= 1400


@pytest.mark.parametrize("type_", ["handicap", "other", "asian_handicap"])
@pytest.mark.parametrize("winners", [0, 1])
def test_each_line_of_a_market_is_priced_by_itself(type_: Any, winners: int) -> None:
    """Whatever the type, and whatever number of winners is stated."""
    lines = [("1@-3.5", -3.5), ("2@3.5", 3.5), ("1@-4.5", -4.5), ("2@4.5", 4.5)]
    selections = tuple(SelectionDefinition(f"s-{ref}", SelectionKey(ref), ref, "active", line) for ref, line in lines)
    selections = tuple(msgspec.structs.replace(each, source_id=each.source_id.removeprefix("s-")) for each in selections)
    definition = msgspec.structs.replace(a_definition("e1/handicap", type=type_, winners=winners), selections=selections)
    books = [
        BookChange("1@-3.5", back=[(1.9, 100.0)], lay=[(1.95, 100.0)]),
        BookChange("2@3.5", back=[(2.04, 100.0)], lay=[(2.1, 100.0)]),
        BookChange("1@-4.5", back=[(2.0, 100.0)], lay=[(2.06, 100.0)]),
    ]
    assert {"1@-3.5": 1830, "2@3.5": 1970} == open_prices(definition, *books)


def test_both_sides_of_a_total_are_on_the_same_handicap() -> None:
    lines = [("u@2.5", 2.5), ("o@2.5", 2.5), ("u@3.5", 3.5), ("o@3.5", 3.5)]
    selections = tuple(SelectionDefinition(ref, SelectionKey(ref), ref, "active", line) for ref, line in lines)
    definition = msgspec.structs.replace(a_definition("e1/totals", type="other"), selections=selections)
    books = [BookChange(ref, back=[(1.98, 100.0)], lay=[(2.02, 100.0)]) for ref, _ in lines]
    assert {ref: 1900 for ref, _ in lines} == open_prices(definition, *books)


@pytest.mark.parametrize("odds", [(2.1, None, 3.9), (1.10, 1.2, 1.9), (110.0, 240.0, 290.0), (21.0, 3.4, 3.9)])
def test_quotes_that_nobody_could_mean_are_not_open(odds: tuple[float | None, ...]) -> None:
    """A missing draw, and sums far under and over a book's."""
    quotes = [quote(key, price) for key, price in zip(MATCH, odds, strict=True) if price is not None]
    assert {} == open_prices(a_definition(selections=MATCH), *quotes)


@pytest.mark.parametrize(
    ("outcomes", "total", "is_open"),
    [
        *((8, 1.55, True), (16, 1.95, True), (26, 2.0, True), (40, 2.0, True), (40, 1.3, True)),
        *((3, 1.4, False), (8, 1.7, False), (16, 2.1, False), (40, 2.2, False), (26, 0.9, False)),
    ],
)
def test_the_more_outcomes_the_larger_the_sum_that_a_bookmaker_may_have(outcomes: int, total: float, is_open: bool) -> None:
    """Correct scores are sold at sums of up to 2."""
    keys = [f"{number}-0" for number in range(outcomes)]
    shares = [1.5**-number + 0.05 for number in range(outcomes)]
    quotes = [quote(key, max(1.01, fsum(shares) / share / total)) for key, share in zip(keys, shares, strict=True)]
    assert (None if is_open else "incoherent") == reason_of(a_definition("e1/cs", tuple(keys), type="correct_score"), *quotes)


def test_a_match_result_has_a_draw() -> None:
    """What lacks it is not the market on the winner without a draw."""
    assert "incomplete" == reason_of(a_definition(type="match_odds"), quote("home", 2.0), quote("away", 1.9))


def test_a_typical_overround_narrows_the_bounds() -> None:
    quotes = [quote("home", 1.7), quote("away", 1.7)]
    assert reason_of(a_definition(), *quotes) is None
    assert "incoherent" == reason_of(a_definition(), *quotes, source_overround=1.05)


def test_a_jump_is_confirmed_only_by_what_jumped() -> None:
    source = Source(a_definition(selections=MATCH), jump_limit=0.15)
    source.update(quote("home", 2.5), quote("draw", 3.2), quote("away", 2.9))
    assert source.reason is None
    source.update(quote("home", 1.9))
    assert "spike" == source.reason
    source.update()
    source.update(BookChange("s-home"))
    assert "spike" == source.reason, "an update without content"
    source.update(quote("draw", 3.1))
    assert "spike" == source.reason, "another selection"
    source.update(quote("home", 1.9))
    assert source.reason is None


@pytest.mark.parametrize(
    "relisted",
    [
        [MarketGone("1.1"), MarketUpdate("1.1", definition=a_definition())],
        [MarketUpdate("1.1", image=True, definition=a_definition())],
        [
            MarketUpdate("1.1", image=True, definition=a_definition()),
            MarketGone("1.1"),
            MarketUpdate("1.1", definition=a_definition()),
        ],
    ],
)
def test_a_market_listed_again_without_quotes_confirms_no_jump_by_the_same_ones(relisted: list[Any]) -> None:
    source = Source(a_definition(), jump_limit=0.15)
    source.update(quote("home", 2.5), quote("away", 1.6))
    source.update(quote("home", 1.6), quote("away", 2.5))
    assert "spike" == source.reason
    for update in relisted:
        source.book.apply(update, source.now_ms, source.now_ms)
    source.price()
    source.update(quote("home", 1.6))
    source.update(quote("away", 2.5))
    assert "spike" == source.reason
    source.update(quote("home", 1.61))
    assert source.reason is None


def test_what_jumped_while_the_book_was_refused_may_confirm_the_jump() -> None:
    """Home jumps alone, to a sum that no book has, and the others follow."""
    source = Source(a_definition(selections=MATCH), jump_limit=0.3)
    source.update(quote("home", 2.5), quote("draw", 3.4), quote("away", 2.8))
    source.update(quote("home", 5.0))
    assert "incoherent" == source.reason
    source.update(quote("away", 1.9))
    assert "spike" == source.reason
    source.update(quote("draw", 3.3))
    assert "spike" == source.reason
    source.update(quote("home", 5.1))
    assert source.reason is None


def test_what_is_deep_in_a_book_confirms_no_jump() -> None:
    """Only its best offers, its last trade or its quote say that a selection is where it jumped to."""
    source = Source(a_definition(), jump_limit=0.15)
    source.update(offers("home", 2.48, 2.52), offers("away", 1.66, 1.68))
    assert source.reason is None
    to = BookChange("s-home", back=[(2.48, 0.0), (1.98, 9.0), (1.5, 9.0)], lay=[(2.52, 0.0), (2.02, 9.0)])
    source.update(to, BookChange("s-away", back=[(1.66, 0.0), (1.98, 9.0)], lay=[(1.68, 0.0), (2.02, 9.0)]))
    assert "spike" == source.reason
    source.update(BookChange("s-home", back=[(1.5, 8.0)]))
    assert "spike" == source.reason
    source.update(BookChange("s-home", back=[(1.98, 12.0)]))
    assert source.reason is None


def test_a_source_that_is_too_old_corroborates_no_jump() -> None:
    pricer = Pricer({"default": Profile(jump_limit=0.15, max_age_s=10.0)})
    books = {name: SourceBook(name) for name in ("src", "old")}

    def update(name: str, now_ms: int, odds: float) -> None:
        quotes = [quote("home", odds), quote("away", 1 / (1.04 - 1 / odds))]
        update = MarketUpdate("1.1", image=True, definition=a_definition(), books=quotes)
        books[name].apply(update, now_ms, now_ms)

    def reason(now_ms: int) -> str | None:
        own, other = (books[name].markets["1.1"] for name in ("src", "old"))
        assert own.definition is not None
        priced = pricer.price(own, own.definition, None, now_ms, lambda: [other])
        assert priced.market is not None
        return priced.market.state.reason

    update("old", 0, 1.9)
    update("src", 1, 2.5)
    assert reason(1) is None
    update("src", 20_000, 1.9)
    assert "spike" == reason(20_000)
    update("old", 20_001, 1.9)
    assert reason(20_001) is None


@pytest.mark.parametrize(("won", "winners"), [(("a",), 1), (("a", "b"), 2)])
def test_a_market_whose_winners_are_known_is_not_open(won: tuple[str, ...], winners: int) -> None:
    definition = a_definition(selections=tuple("abcd"), type="place", winners=winners)
    selections = tuple(
        msgspec.structs.replace(each, status="winner" if each.key in won else "active") for each in definition.selections
    )
    definition = msgspec.structs.replace(definition, selections=selections)
    assert "decided" == reason_of(definition, *(offers(key, 2.9, 3.1) for key in "abcd"))


RACE = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}


def a_race(**profile: Any) -> Source:
    source = Source(a_definition(selections=tuple(RACE), type="winner"), devig="multiplicative", **profile)
    source.update(*(quote(key, 1 / (each * 1.2)) for key, each in RACE.items()))
    assert source.reason is None
    return source


@pytest.mark.parametrize("gone", ["a", "d"])
@pytest.mark.parametrize("status", ["removed", "void", "loser"])
def test_what_a_removal_leaves_is_not_open_until_the_quotes_move(gone: str, status: Any) -> None:
    """Also where the removed runner was an outsider and the sum stays possible, or has lost."""
    source = a_race()
    selections = tuple(
        msgspec.structs.replace(each, status=status) if each.key == gone else each for each in source.definition.selections
    )
    source.update(definition=msgspec.structs.replace(source.definition, selections=selections))
    assert "incoherent" == source.reason
    left = {key: each / (1 - RACE[gone]) for key, each in RACE.items() if key != gone}
    source.update(*(quote(key, 1 / (each * 1.2)) for key, each in left.items()))
    assert source.reason is None
    assert all((source.prices[key] or 0) <= 1000 / each for key, each in left.items())


@pytest.mark.parametrize("is_withdrawn", [True, False])
def test_a_race_that_comes_back_without_a_runner_is_not_open_until_the_quotes_move(is_withdrawn: bool) -> None:
    """As an image, also after the market was withdrawn."""
    source = a_race()
    if is_withdrawn:
        source.book.apply(MarketGone("1.1"), 0)
    source.image, source.definition = True, a_definition(selections=("a", "b", "c"), type="winner")
    source.update(*(quote(key, 1 / (RACE[key] * 1.2)) for key in "abc"))
    assert "incoherent" == source.reason
    source.update(*(quote(key, 1 / (RACE[key] / 0.9 * 1.2)) for key in "abc"))
    assert source.reason is None


@pytest.mark.parametrize("status", ["removed", "loser"])
def test_a_runner_that_is_back_at_the_same_quotes_is_open_again(status: Any) -> None:
    source = a_race()
    selections = tuple(
        msgspec.structs.replace(each, status=status) if each.key == "d" else each for each in source.definition.selections
    )
    source.update(definition=msgspec.structs.replace(source.definition, selections=selections))
    assert "incoherent" == source.reason
    source.update(definition=source.definition)
    assert source.reason is None


def test_one_quote_of_many_does_not_account_for_a_removal() -> None:
    """Until the others have taken over what the removed one took of the sum, or have all moved."""
    source = a_race()
    source.update(definition=a_definition(selections=tuple(RACE), type="winner", removed=("a",)))
    source.update(quote("d", 7.9))
    assert "incoherent" == source.reason
    source.update(quote("b", 1.7))
    assert "incoherent" == source.reason
    source.update(quote("c", 2.6))
    assert source.reason is None


def test_a_quote_withdrawn_before_its_selection_is_removed_changes_nothing() -> None:
    """What is left may sum to a possible book, though it was quoted beside another selection."""
    quotes = {"a": 6.0, "b": 2.3, "c": 3.2, "d": 4.0}
    source = Source(a_definition(selections=tuple(RACE), type="winner"))
    source.update(*(quote(key, odds) for key, odds in quotes.items()))
    source.update(BookChange("s-a", quote=0.0))
    source.update(definition=a_definition(selections=tuple(RACE), type="winner", removed=("a",)))
    assert "incoherent" == source.reason
    source.update(quote("b", 2.1), quote("c", 2.9), quote("d", 3.6))
    assert source.reason is None


def test_a_suspended_selection_may_still_win() -> None:
    definition = a_definition(selections=MATCH)
    first, *rest = definition.selections
    definition = msgspec.structs.replace(definition, selections=(msgspec.structs.replace(first, status="suspended"), *rest))
    assert {} == open_prices(definition, quote("home", 2.1), quote("draw", 3.4), quote("away", 3.9))


def test_rounding_goes_over_fair_only_by_name() -> None:
    fair = {"home": 0.251, "draw": 0.7315, "away": 0.0175}
    books = [quote(key, 1 / each) for key, each in fair.items()]
    for rounding in ("balanced", "down"):
        prices = open_prices(
            a_definition(selections=MATCH), *books, rounding=rounding, ladder="traditional", devig="multiplicative"
        )
        assert all(price * fair[key] <= 1000 + 1e-6 for key, price in prices.items()), rounding


def test_a_shift_keeps_the_book_sum_of_several_winners() -> None:
    fair = {"a": 0.95, "b": 0.683, "c": 0.683, "d": 0.684}
    definition = a_definition(selections=tuple(fair), type="place", winners=3)
    books = [offers(key, 0.995 / each, 1.005 / each) for key, each in fair.items()]
    prices = open_prices(definition, *books, shift={"a": 0.5}, book_sum=1.0, ladder="decimal_3", min_odds=1.001)
    assert not prices or fsum(1000 / price for price in prices.values()) >= 3 - 1e-9 or len(prices) < 4
    assert all(price <= 1005 / fair[key] for key, price in prices.items())


@pytest.mark.parametrize("method", ["shin", "additive", "goto"])
def test_methods_of_one_winner_are_refused_for_several(method: Any) -> None:
    definition = a_definition(selections=tuple("abcd"), type="place", winners=2)
    quotes = [quote(key, 1.8) for key in "abcd"]
    assert "method" == reason_of(definition, *quotes, devig=method)
    assert reason_of(definition, *quotes) is None, "auto is a method that holds"
    assert "method" == reason_of(definition, *quotes, devig="power", method=method)
    books = [offers(key, 1.98, 2.02) for key in "abcd"]
    assert "method" == reason_of(definition, *books, exchange=ExchangeLimits(normalise=method))
    for setting in ({"method": method}, {"devig": method}, {"normalise": method}):
        with pytest.raises(ValueError, match="one winner only"):
            Profile(rules=(Rule(type="place", **setting),))
    with pytest.raises(ValueError, match="one winner only"):
        Profile(method=method, rules=(Rule(type=("winner", "place"), book_sum=1.2),))


@pytest.mark.parametrize(
    ("prices", "is_open"),
    [
        ((150.0, None), False),
        ((110.0, None, 240.0), False),
        ((110.0, None, None), False),
        ((2.0, None), True),
        ((19.0, None), True),
    ],
)
def test_what_a_known_overround_leaves_for_missing_quotes_is_less_than_certain(
    prices: tuple[float | None, ...], *, is_open: bool
) -> None:
    """An American price under 0 is none in decimal odds, so the other side's stands alone."""
    keys = MATCH if len(prices) > len(("home", "away")) else ("home", "away")
    quotes = [quote(key, price) for key, price in zip(keys, prices, strict=True) if price is not None]
    found = open_prices(a_definition(selections=keys), *quotes, source_overround=1.05)
    assert is_open == any(found.values())
