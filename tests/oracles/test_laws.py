"""The oracle itself: it refuses prices that nobody could mean, and allows what is right in their place."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracles.laws import Jumps, Published, across_lines, across_markets, violations
from tests.oracles.rules import Config, Settings, Sourcing
from tests.oracles.score_bets import KINDS
from tests.oracles.statements import Book, Event, Market, Selection, Source, Statements

if TYPE_CHECKING:
    from collections.abc import Mapping

MATCH, TWO = ("home", "draw", "away"), ("home", "away")
MINUTE_MS = 60_000


def offers(back: float | None = None, lay: float | None = None, size: float = 100.0, **fields: Any) -> Book:
    return Book(back={} if back is None else {back: (back, size)}, lay={} if lay is None else {lay: (lay, size)}, **fields)


def a_market(books: Mapping[str, Book], keys: tuple[str, ...] = (), **fields: Any) -> Market:
    keys = keys or tuple(books)
    type_ = fields.pop("type", "match_odds" if "draw" in keys else "moneyline")
    is_quoted = any(book.quote is not None for book in books.values())
    selections = {key: Selection(key) for key in keys}
    return Market("m", "e", type_, fields.pop("winners", 1), is_quoted, selections, dict(books), **fields)


def quoted(*quotes: float, keys: tuple[str, ...] = MATCH, **fields: Any) -> Market:
    return a_market({key: Book(quote=quote) for key, quote in zip(keys, quotes, strict=False)}, **fields)


class OracleCase:
    """The statements of some sources, and the oracle's judgement of what is open."""

    def __init__(self, *markets: Market, sourcing: Sourcing | None = None, **settings: Any) -> None:
        self.sources = {
            name: Source(name, market.is_quoted, markets={"m": market}, events={"e": Event()})
            for name, market in zip("abc", markets, strict=False)
        }
        self.said = Statements(self.sources)
        self.said.note_results()
        self.config = Config({"default": Settings(**settings)}, sourcing or Sourcing(hold_s=0.0))

    def wrong(self, now_ms: int = 0, *, in_play: bool = False, used: str = "", **prices: float) -> str:
        """Return what is wrong with prices that are open, as one text."""
        published = Published("open", in_play, {key: (round(price * 1000),) for key, price in prices.items()}, {}, tuple(used))
        return "; ".join(violations(self.said, self.config, "m", published, now_ms))


def test_sound_prices_are_allowed() -> None:
    books = {"home": offers(1.98, 2.02), "away": offers(1.98, 2.02)}
    assert "" == OracleCase(a_market(books)).wrong(home=1.9, away=1.9)
    assert "" == OracleCase(quoted(2.0, 3.4, 3.9)).wrong(home=1.97, draw=3.4, away=3.8)


def test_no_price_is_over_a_good_lay() -> None:
    """Nor is the price of a trade that contradicts the other side."""
    books = {"home": offers(2.0, 2.02, 5000.0), "draw": offers(3.4, 5.9, 5.0), "away": offers(3.4, 5.9, 5.0)}
    assert "home at 2.4 is over 2.02" in OracleCase(a_market(books)).wrong(home=2.4)
    a1 = {"home": offers(1.25, 1.27), "away": offers(last=2.0)}
    assert "home at 1.55 is over 1.27" in OracleCase(a_market(a1)).wrong(home=1.55)
    assert "" == OracleCase(a_market(a1)).wrong(home=1.19)


def test_a_tiny_lay_bounds_nothing() -> None:
    books = {"home": offers(1.98, 2.02), "away": offers(1.98, 2.02)}
    books["home"].lay[1.85] = (1.85, 1.0)
    assert "is over" not in OracleCase(a_market(books)).wrong(home=1.9, away=1.9)


def test_the_other_sides_bound_a_price() -> None:
    """Under 3.5 to 4.4 leaves over 1.294 to 1.40."""
    books = {"over": offers(1.24, 1.47, 300.0), "under": offers(3.5, 4.4)}
    case = OracleCase(a_market(books, type="total"), book_sum=1.0)
    assert "over at 1.44 is over 1.4" in case.wrong(over=1.44)
    assert "" == case.wrong(over=1.37)


def test_two_favourites_contradict_each_other() -> None:
    books = {"home": offers(1.25, 1.27), "draw": offers(), "away": offers(1.25, 1.27)}
    assert "all can be laid at a sum of" in OracleCase(a_market(books)).wrong(home=1.9, away=1.9)


def test_a_trade_of_before_says_nothing() -> None:
    """Only a lay of home is there."""
    books = {"home": offers(lay=1.3, size=500.0, last=2.0), "draw": offers(last=3.6), "away": offers(last=4.2)}
    market = a_market(books, open_since_ms=1000)
    assert "no trade says what it is worth" in OracleCase(market, last_traded=True).wrong(1000, home=1.2)
    for book in market.books.values():
        book.last_ms = 2000
    assert "" == OracleCase(market, last_traded=True).wrong(2000, home=1.2)
    assert "no trade says" in OracleCase(market, last_traded=True).wrong(2000 + MINUTE_MS + 1, home=1.2)


@pytest.mark.parametrize("quotes", [(2.1, 3.9, 40.0), (110.0, 240.0, 290.0), (1.2, 1.3, 1.4)])
def test_a_sum_is_within_bounds(quotes: tuple[float, ...]) -> None:
    """Too small a sum is refused as well as too large a one."""
    assert "the quotes sum to" in OracleCase(quoted(*quotes)).wrong(home=1.5)


def test_a_known_overround_narrows_the_bounds() -> None:
    market = quoted(1.8, 3.0, 3.0)
    assert "" == OracleCase(market).wrong(home=1.9)
    assert "the quotes sum to" in OracleCase(market, source_overround=1.05).wrong(home=1.9)


def test_a_match_has_a_draw() -> None:
    assert "without draw" in OracleCase(a_market({key: Book(quote=2.0) for key in TWO}, type="match_odds")).wrong(
        home=1.9, away=1.9
    )


def test_what_is_decided_is_not_open() -> None:
    market = a_market({key: offers(2.97, 3.03) for key in MATCH})
    market.selections["home"].status = "winner"
    assert "decided" in OracleCase(market).wrong(draw=2.8)


def test_quotes_from_before_a_removal_are_not_used() -> None:
    market = quoted(2.0, 2.0, keys=("b", "c"), type="winner", at_removal={"a": 2.0})
    assert "since the removal" in OracleCase(market).wrong(b=1.9)


def test_each_source_has_its_own_age() -> None:
    """So does a single one."""
    sourcing = Sourcing("consensus", hold_s=0.0)
    case = OracleCase(*[quoted(2.0, 3.4, 3.9) for _ in "abc"], sourcing=sourcing, max_age_s=60.0)
    case.sources["c"].markets["m"].received_ms = 60 * MINUTE_MS
    assert "nothing was said for 3600.0 s" in case.wrong(60 * MINUTE_MS, used="abc", home=1.9)
    assert "nothing was said for 61.0 s" in OracleCase(quoted(2.0, 3.4, 3.9), max_age_s=60.0).wrong(61_000, home=1.9)
    assert "" == case.wrong(0, used="ab", home=1.9)


def test_a_consensus_is_of_enough_sources() -> None:
    case = OracleCase(*[quoted(2.0, 3.4, 3.9) for _ in "abc"], sourcing=Sourcing("consensus", hold_s=0.0))
    assert "priced by 1 of at least 2 sources" in case.wrong(used="a", home=1.9)
    case.sources["c"].health = "stale"
    assert "priced by c" in case.wrong(used="ac", home=1.9)


def test_a_consensus_is_not_over_the_lay_of_a_source() -> None:
    books = {"home": offers(2.0, 2.02), "away": offers(1.98, 2.02)}
    markets = [quoted(1.98, 1.75, keys=TWO), a_market(books)]
    case = OracleCase(*markets, sourcing=Sourcing("consensus", outlier=0.2, hold_s=0.0))
    assert "over a source's best lay" in case.wrong(used="ab", home=2.1)
    assert "" == case.wrong(used="ab", home=1.95)


def test_a_result_stands_until_its_source_reopens() -> None:
    closed = replace(quoted(2.0, 2.0, keys=TWO), status="closed")
    closed.selections["home"].status = "winner"
    case = OracleCase(closed, quoted(2.0, 2.0, keys=TWO))
    changes: tuple[dict[str, Any], ...] = ({"health": "down"}, {"markets": {}})
    for change in changes:
        case.sources["a"] = replace(case.sources["a"], **change)
        case.said.note_results()
        assert "with a result of a" in case.wrong(home=1.9)
    case.sources["a"] = Source("a", is_bookmaker=True, markets={"m": quoted(2.0, 2.0, keys=TWO)})
    case.said.note_results()
    assert "" == case.wrong(home=1.9)


@pytest.mark.parametrize(
    "change", [{"status": "suspended"}, {"status": "closed"}], ids=["the first source suspends", "the first source closes"]
)
def test_what_the_first_source_says_holds(change: dict[str, Any]) -> None:
    case = OracleCase(replace(quoted(2.0, 2.0, keys=TWO), **change), quoted(2.0, 2.0, keys=TWO))
    assert case.wrong(home=1.9)


def test_in_play_is_known_from_any_live_source() -> None:
    case = OracleCase(quoted(2.0, 2.0, keys=TWO), replace(quoted(2.0, 2.0, keys=TWO), in_play=True, status="suspended"))
    assert "behind the others" in case.wrong(home=1.9)
    case.sources["b"].health = "down"
    assert "" == case.wrong(home=1.9)
    case.sources["a"].events["e"] = Event(score="2-0")
    assert "behind the others" in case.wrong(home=1.9)
    case.config = Config(case.config.profiles, replace(case.config.sourcing, late_in_play=("a",)))
    assert "" == case.wrong(home=1.9)


def test_nobody_who_is_down_speaks() -> None:
    case = OracleCase(quoted(2.0, 2.0, keys=TWO))
    case.sources["a"].health = "down"
    assert "may speak for it" in case.wrong(home=1.9)


def test_rules_hold_from_the_minute_they_name() -> None:
    rules = (({"starts_within_min": 10}, {"suspend": True}),)
    case = OracleCase(quoted(2.0, 2.0, keys=TWO, start_ms=11 * MINUTE_MS), rules=rules)
    assert "" == case.wrong(0, home=1.9)
    assert "a rule suspends it" in case.wrong(MINUTE_MS, home=1.9)


def test_rounding_stays_under_fair() -> None:
    market = quoted(2.0, 2.0, keys=TWO)
    for rounding, expected in (("balanced", True), ("balanced_over_fair", False)):
        case = OracleCase(market, rounding=rounding)
        published = Published("open", prices={"home": (2020,)}, fair={"home": (0.5,)})
        assert expected == any("over its fair odds" in each for each in violations(case.said, case.config, "m", published, 0))


def test_a_book_sums_to_its_winners() -> None:
    """So do several profiles, and several lines, together."""
    case = OracleCase(quoted(2.0, 2.0, keys=TWO))
    assert "sum to" in case.wrong(home=2.0, away=2.1)
    over = {2.5: Published("open", prices={"over": (2100,)}), 3.5: Published("open", prices={"under": (2000,)})}
    assert across_lines(over, "over", "under")
    assert not across_lines({3.5: over[2.5], 2.5: over[3.5]}, "over", "under")


def test_what_is_not_active_has_no_price() -> None:
    market = quoted(2.0, 3.4, 3.9)
    market.selections["away"].status = "suspended"
    assert "away has a price, and is suspended" in OracleCase(market, source_overround=1.05).wrong(home=1.9, away=3.5)


def test_prices_are_on_the_ladder() -> None:
    assert "not on the ladder" in OracleCase(quoted(2.0, 2.0, keys=TWO)).wrong(home=1.905)


def test_a_jump_is_not_open_until_something_more_is_said() -> None:
    case = OracleCase(quoted(2.5, 1.6, keys=TWO), jump_limit=0.2)
    jumps = Jumps()

    def wrong(home: float, status: str = "open") -> list[str]:
        published = Published(status, fair={"home": (home,), "away": (1 - home,)})
        return jumps.check(case.said, case.config, "m", published, 0, Counter())

    assert not wrong(0.4)
    assert wrong(0.2), "at once"
    assert not wrong(0.2, "suspended")
    assert wrong(0.1), "nothing was said"
    assert not wrong(0.1, "suspended")
    case.said.changes += 1
    assert not wrong(0.2)
    case.sources["a"].markets["m"].status = "suspended"
    assert not wrong(0.2, "suspended")
    case.sources["a"].markets["m"].status = "open"
    assert not wrong(0.5), "its source has reopened it"


def test_markets_on_one_score_can_not_be_beaten() -> None:
    """The draw and the away side, beside home without a draw."""
    result, without_draw = (next(kind for kind in KINDS if kind.name == name) for name in ("match_odds", "draw_no_bet"))
    published = {result: Published("open", prices={"draw": (3000,), "away": (5000,)})}
    beaten = {**published, without_draw: Published("open", prices={"home": (2500,)})}
    assert not across_markets(published, (0, 0), Counter())
    assert across_markets(beaten, (0, 0), Counter())
    assert not across_markets({**published, without_draw: Published("suspended")}, (0, 0), Counter())
