"""What people command, through the pipeline to what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.results import LOST, TAKEN_BACK, VOID, WON
from oddsengine.engine.ended_events import WITHDRAWN
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from tests.support.builders import a_batch, a_command, a_definition, a_quote, an_event, live, market_updates

if TYPE_CHECKING:
    from collections.abc import Callable

MARKET = MarketId("e1/match_odds")
PROFILES = {"default": Profile(book_sum=1.05), "gold": Profile(book_sum=1.02, min_margin=0.01)}


class Floor:
    """A pipeline with one market, and what is published of it."""

    def __init__(self, profiles: dict[str, Profile] | None = None) -> None:
        self.pipeline = Pipeline(Pricer(profiles or PROFILES), ("src",))
        self.pipeline.receive(live(), 1)
        self.quote(2.0, 2.0)

    def quote(self, home: float, away: float, **definition: Any) -> None:
        updates = market_updates(a_definition(**definition), a_quote("home", home), a_quote("away", away))
        self.pipeline.receive(a_batch(*updates), 1)

    def command(self, action: str, **fields: Any) -> None:
        self.pipeline.obey(a_command(action, **fields))

    def market(self, now_ms: int = 20) -> Any:
        self.pipeline.flush(0, now_ms)
        self.pipeline.offers[0].commit(now_ms)
        return self.pipeline.offers[0].markets.get(MARKET)

    def state(self, now_ms: int = 20) -> tuple[str, str | None]:
        state = self.market(now_ms).state
        return state.status, state.reason

    def prices(self) -> dict[str, tuple[int | None, ...]]:
        return {key: selection.prices for key, selection in self.market().selections.items()}


class CountingPricer(Pricer):
    """A pricer that counts how often a market was priced."""

    count = 0

    def price(self, *arguments: Any, **options: Any) -> Any:
        self.count += 1
        return super().price(*arguments, **options)


OPEN, TRADER = ("open", None), ("suspended", "trader")


def test_a_suspension_holds_until_it_is_lifted_whatever_the_provider_does() -> None:
    floor = Floor()
    before = floor.prices()
    floor.command("suspend", event="e1")
    assert TRADER == floor.state()
    floor.quote(2.0, 2.0, status="suspended")
    floor.quote(2.0, 2.0)
    assert TRADER == floor.state()
    floor.quote(3.0, 1.5)
    floor.command("suspend", event="e1", lifted_ms=20)
    floor.command("suspend", event="e1", lifted_ms=20)
    assert OPEN == floor.state()
    assert floor.prices() != before, "the price that is then true"


def test_a_suspension_expires_with_time() -> None:
    floor = Floor()
    floor.command("suspend", all=True, expires_ms=1_000)
    assert TRADER == floor.state(999)
    floor.pipeline.tick(1_000)
    assert OPEN == floor.state(1_000)


def test_a_suspension_expires_by_the_clock_of_redis_whatever_ours_says() -> None:
    floor = Floor()
    floor.command("suspend", all=True, expires_ms=1_000)
    floor.pipeline.commands.clock_step_ms = -3_600_000
    floor.pipeline.tick(2_000_000)
    assert TRADER == floor.state(2_000_000)
    floor.pipeline.commands.clock_step_ms = 600
    floor.pipeline.tick(400)
    assert OPEN == floor.state(400)


def test_a_command_holds_for_what_comes_later() -> None:
    floor = Floor()
    floor.command("suspend", competition="cup")
    other = market_updates(a_definition("e2/match_odds"), a_quote("home", 2.0), a_quote("away", 2.0), source_id="1.2")
    floor.pipeline.receive(a_batch(*other), 1)
    floor.market()
    assert "trader" == floor.pipeline.offers[0].markets[MarketId("e2/match_odds")].state.reason


def test_a_suspension_at_the_kick_off_ends_with_it() -> None:
    floor = Floor()
    floor.command("suspend", event="e1", until_kick_off=True)
    assert TRADER == floor.state()
    floor.quote(2.0, 2.0, in_play=True)
    assert OPEN == floor.state()
    floor.quote(2.0, 2.0)
    assert OPEN == floor.state(), "ended for good, also where the source takes the kick-off back"


def test_an_event_in_play_ends_what_ends_with_its_kick_off_in_markets_to_come() -> None:
    floor = Floor()
    floor.command("suspend", sport="football", key="wide", until_kick_off=True)
    floor.command("suspend", event="e1", until_kick_off=True)
    for in_play in (True, False):
        _, market = market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0))
        floor.pipeline.receive(a_batch(EventUpdate(an_event(in_play=in_play)), market), 1)
        assert floor.state() != TRADER
    other = market_updates(a_definition("e1/moneyline"), a_quote("home", 2.0), a_quote("away", 2.0), source_id="1.2")
    floor.pipeline.receive(a_batch(*other), 1)
    floor.market()
    assert floor.pipeline.offers[0].markets[MarketId("e1/moneyline")].state.reason != "trader"
    (ended,) = floor.pipeline.commands.book.kicked_off()
    assert "c1" == ended.id


def test_a_profile_can_be_suspended_alone() -> None:
    floor = Floor()
    whole = floor.prices()
    floor.command("suspend", event="e1", profiles=("gold",))
    assert OPEN == floor.state()
    assert {key: (default, None) for key, (default, _) in whole.items()} == floor.prices()
    assert [False, True] == [terms.suspended for terms in floor.market().state.terms]
    floor.quote(1.9, 2.1)
    assert all(gold is None for _, gold in floor.prices().values())
    floor.command("suspend", event="e1", profiles=("gold",), lifted_ms=20)
    assert all(gold is not None for _, gold in floor.prices().values())
    assert [False, False] == [terms.suspended for terms in floor.market().state.terms]


def test_a_selection_can_be_suspended_alone() -> None:
    floor = Floor()
    floor.command("suspend", selection=f"{MARKET}/home")
    market = floor.market()
    assert ("suspended", "active") == (market.selections["home"].status, market.selections["away"].status)
    assert (None, None) == market.selections["home"].prices
    floor.command("suspend", selection=f"{MARKET}/home", lifted_ms=20)
    assert "active" == floor.market().selections["home"].status


def test_a_price_holds_in_its_profiles_on_their_ladder() -> None:
    floor = Floor()
    (home, _), (away, gold_away) = floor.prices().values()
    floor.command("price", market=MARKET, values={"home": 1.833}, profiles=("gold",))
    assert {"home": (home, 1830), "away": (away, gold_away)} == floor.prices()
    floor.quote(1.95, 2.05)
    assert 1830 == floor.prices()["home"][1]


def test_a_price_is_shortened_to_keep_the_margin_unless_it_is_forced() -> None:
    floor = Floor({"gold": Profile(book_sum=1.05, min_margin=0.01)})
    floor.command("price", market=MARKET, values={"home": 5.0})
    assert {"home": (2060,), "away": (1900,)} == floor.prices(), "a book sum of 1.0118: at 2.08 it would be 1.007"
    floor.command("price", market=MARKET, values={"home": 5.0}, force=True)
    assert (OPEN, (5000,)) == (floor.state(), floor.prices()["home"])


def test_a_fair_probability_is_published_though_the_price_is_set() -> None:
    floor = Floor({"gold": Profile(min_margin=0.01)})

    def home() -> tuple[int | None, int | None]:
        selection = floor.market().selections["home"]
        return selection.prices[0], selection.fair

    assert (1900, 500_000) == home()
    floor.command("price", market=MARKET, values={"home": 1.5})
    assert (1500, 500_000) == home()
    version = floor.market().v
    floor.quote(2.004, 1.996)
    assert ((1500, 500_000), version) == (home(), floor.market().v), "it has hardly moved"
    floor.quote(1.6, 1 / (1 - 1 / 1.6))
    assert (1500, 625_000) == home()
    floor.command("suspend", key="c2", event="e1")
    assert (None, None) == home()


def test_a_price_that_makes_an_arbitrage_suspends_its_market() -> None:
    floor = Floor()
    floor.command("price", market=MARKET, values={"home": 2.1}, profiles=("default",))
    assert ("suspended", "arbitrage") == floor.state()
    floor.command("price", market=MARKET, values={"home": 2.1}, profiles=("default",), force=True)
    assert OPEN == floor.state()


def test_a_price_does_not_open_a_market() -> None:
    floor = Floor()
    floor.quote(2.0, 2.0, status="suspended")
    floor.command("price", market=MARKET, values={"home": 1.8})
    assert ("suspended", "provider") == floor.state()


def test_a_book_sum_and_a_shift_are_those_of_the_profile_while_they_hold() -> None:
    commanded, configured = Floor(), Floor({name: Profile(book_sum=1.2, shift={"home": 0.1}) for name in PROFILES})
    commanded.command("book_sum", event="e1", values=1.2)
    commanded.command("shift", key="c2", event="e1", values={"home": 0.1})
    assert configured.prices() == commanded.prices()
    commanded.command("book_sum", event="e1", values=1.2, lifted_ms=30)
    commanded.command("shift", key="c2", event="e1", lifted_ms=30)
    assert Floor().prices() == commanded.prices()


def test_a_limit_and_a_bet_delay_travel_with_the_market() -> None:
    floor = Floor()
    floor.command("limit", sport="football", values=50.0, profiles=("gold",))
    floor.command("bet_delay_s", key="c2", event="e1", values=7.0)
    assert [(None, 7.0), (50.0, 7.0)] == [(terms.limit, terms.bet_delay_s) for terms in floor.market().state.terms]
    version = floor.market().v
    floor.quote(2.0, 2.0)
    assert version == floor.market().v


def test_a_limit_is_that_of_a_person_or_of_a_rule_or_of_the_source() -> None:
    floor = Floor(
        {"default": Profile(book_sum=1.05), "gold": Profile(book_sum=1.02, rules=(Rule(sport="football", limit=90.0),))}
    )

    def terms() -> list[tuple[float | None, float | None]]:
        return [(each.limit, each.bet_delay_s) for each in floor.market().state.terms]

    floor.quote(2.0, 2.0, bet_delay_s=5.0)
    assert [(None, 5.0), (90.0, 5.0)] == terms()
    book = floor.pipeline.books["src"].markets["1.1"]
    defined, prices = book.definition, floor.prices()
    floor.quote(2.0, 2.0, limit=40.0)
    assert [(40.0, None), (90.0, None)] == terms()
    assert (defined, prices) == (book.definition, floor.prices()), "neither is a new definition"
    assert defined is book.definition
    floor.command("limit", event="e1", values=50.0)
    assert [(50.0, None), (50.0, None)] == terms()
    floor.quote(2.0, 2.0, limit=40.0, status="suspended")
    assert [(50.0, None), (50.0, None)] == terms()
    floor.command("limit", event="e1", lifted_ms=30)
    assert [(40.0, None), (90.0, None)] == terms()


def test_a_result_closes_a_market_and_unresult_takes_it_back() -> None:
    floor = Floor()
    floor.command("result", market=MARKET, values={"home": "winner"})
    market = floor.market()
    assert ("closed", "winner", "loser") == (market.state.status, *(each.status for each in market.selections.values()))
    assert "winner" == market.selections["home"].result.outcome
    floor.command("unresult", key="c2", market=MARKET, at_ms=20)
    market = floor.market()
    assert (OPEN, None) == (floor.state(), market.selections["home"].result.outcome)
    floor.quote(2.0, 2.0, status="closed")
    assert TRADER == floor.state(), "the result of the source does not hold either"


@pytest.mark.parametrize("is_first", [True, False])
def test_a_result_of_a_market_that_no_source_offers_holds_until_it_is_lifted(is_first: bool) -> None:
    floor = Floor()
    floor.market()
    steps: list[Callable[[], None]] = [
        lambda: floor.command("result", market=MARKET, values={"home": "winner"}),
        lambda: floor.pipeline.receive(a_batch(MarketGone("1.1")), 1),
    ]
    for step in steps if is_first else steps[::-1]:
        step()
        floor.market()
    assert ("closed", WON, LOST) == (floor.state()[0], *(each.result for each in floor.market().selections.values()))
    floor.command("result", market=MARKET, values={"home": "winner"}, lifted_by="ann", lifted_ms=20)
    assert ("suspended", WITHDRAWN) == floor.state()
    assert {("active", TAKEN_BACK)} == {(each.status, each.result) for each in floor.market().selections.values()}


@pytest.mark.parametrize("is_before", [True, False])
def test_a_result_of_a_market_that_only_the_last_owner_knew_holds_until_it_is_lifted(is_before: bool) -> None:
    known = Floor()
    if is_before:
        known.command("result", market=MARKET, values="void")
    known.market()
    floor = Floor()
    floor.pipeline.release(0)
    floor.pipeline.receive(a_batch(MarketGone("1.1")), 1)
    floor.pipeline.offers[0].load(2, 0, known.pipeline.offers[0].records())
    floor.pipeline.mark(MARKET)
    assert is_before or floor.state() == ("suspended", WITHDRAWN)
    floor.command("result", market=MARKET, values="void")
    assert {("void", VOID)} == {(each.status, each.result) for each in floor.market().selections.values()}
    floor.command("result", market=MARKET, values="void", lifted_by="ann", lifted_ms=20)
    assert ("suspended", WITHDRAWN) == floor.state()
    status = "suspended" if is_before else "active"
    assert {(status, TAKEN_BACK)} == {(each.status, each.result) for each in floor.market().selections.values()}


def test_a_void_gives_back_every_stake() -> None:
    floor = Floor()
    floor.command("result", event="e1", values="void")
    assert ["void", "void"] == [each.result.outcome for each in floor.market().selections.values()]


@pytest.mark.parametrize("action", ["suspend", "limit"])
def test_the_reason_of_a_market_without_a_source_is_that_of_its_suspension(action: str) -> None:
    floor = Floor()
    floor.market()
    floor.pipeline.receive(a_batch(MarketGone("1.1")), 1)
    floor.command(action, event="e1", values=1.0 if action == "limit" else None)
    assert (TRADER if action == "suspend" else ("suspended", WITHDRAWN)) == floor.state()
    floor.pipeline.retire(0, 20, 0)
    assert floor.market() is None, "it leaves the offer all the same"


def test_commands_hold_under_other_rules() -> None:
    floor = Floor()
    floor.command("price", market=MARKET, values={"home": 1.8})
    floor.market()
    floor.pipeline.adopt(Pricer({name: Profile(book_sum=1.15) for name in PROFILES}))
    assert (1800, 1800) == floor.prices()["home"]


def test_obeying_without_effect_is_published_too() -> None:
    floor = Floor()
    floor.market()
    offer = floor.pipeline.offers[0]
    offer.commands = 7
    batch = offer.commit(1)
    assert batch is not None
    assert 7 == batch.commands
    assert offer.commit(1) is None


def test_the_competition_that_an_event_was_published_in_counts() -> None:
    floor = Floor()
    floor.market()
    moved = Event(id=EventId("e1"), sport="football", competition=Competition("league", "League"), name="E1")
    floor.pipeline.receive(a_batch(EventUpdate(moved)), 1)
    floor.command("suspend", competition="cup")
    assert TRADER == floor.state()


def test_a_market_whose_best_offers_stay_is_not_priced_while_a_command_holds() -> None:
    floor, pricer = Floor(), CountingPricer(PROFILES)
    floor.pipeline.adopt(pricer)
    floor.command("limit", event="e1", values=100.0)
    floor.market()
    priced = pricer.count
    deep = a_batch(MarketUpdate("1.1", books=[BookChange("s-home")]))
    floor.pipeline.receive(deep, 2)
    floor.market()
    assert priced == pricer.count
    floor.command("limit", event="e1", values=50.0)
    floor.pipeline.receive(deep, 3)
    assert {50.0} == {terms.limit for terms in floor.market().state.terms}
