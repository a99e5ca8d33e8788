"""From feed updates to the published offer."""

from __future__ import annotations

from typing import Any

from oddsengine.domain.feed_updates import EventUpdate, MarketGone, MarketUpdate, SourceStatus
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.sourcing_rule import SourcingRule
from tests.support.builders import a_batch, a_definition, a_quote, an_event, live, market_updates

MARKET = MarketId("e1/match_odds")


def a_pipeline(*sources: str, shards: int = 1) -> Pipeline:
    return Pipeline(Pricer({"default": Profile()}), sources or ("src",), shards)


def flushed(pipeline: Pipeline, now_ms: int = 0) -> Any:
    pipeline.flush(0, now_ms)
    pipeline.offers[0].commit(0)
    return pipeline.offers[0].markets.get(MARKET)


def state(market: Any) -> tuple[str, str | None]:
    return market.state.status, market.state.reason


def update(pipeline: Pipeline, *updates: Any, source: str = "src") -> None:
    pipeline.receive(a_batch(*updates, source=source), 1)


GOOD = market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0))


def test_a_market_opens_once_its_source_is_live() -> None:
    pipeline = a_pipeline()
    update(pipeline, *GOOD)
    assert ("suspended", "source_down") == state(flushed(pipeline))
    pipeline.receive(live(), 1)
    assert ("open", None) == state(flushed(pipeline))


def test_a_source_that_is_not_live_suspends_all_its_markets() -> None:
    for health in ("lagging", "stale", "down"):
        pipeline = a_pipeline()
        pipeline.receive(live(), 1)
        update(pipeline, *GOOD)
        assert ("open", None) == state(flushed(pipeline))
        update(pipeline, SourceStatus(health, "why"))
        market = flushed(pipeline)
        assert ("suspended", f"source_{health}") == state(market)
        assert {(None,)} == {selection.prices for selection in market.selections.values()}
        pipeline.receive(live(), 1)
        assert ("open", None) == state(flushed(pipeline))


def test_a_withdrawn_market_is_suspended_and_may_return() -> None:
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    update(pipeline, *GOOD)
    flushed(pipeline)
    update(pipeline, MarketGone("1.1"))
    assert ("suspended", "withdrawn") == state(flushed(pipeline))
    update(pipeline, *GOOD)
    market = flushed(pipeline)
    assert ("open", None) == state(market)
    assert 3 == market.v


def test_the_second_source_prices_where_the_first_is_not_live() -> None:
    pipeline = a_pipeline("first", "second")
    pipeline.receive(live("first"), 1)
    pipeline.receive(live("second"), 1)
    update(pipeline, *market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)), source="first")
    update(pipeline, *market_updates(a_definition(), a_quote("home", 3.0), a_quote("away", 1.5)), source="second")
    assert (1900,) == flushed(pipeline).selections["home"].prices
    update(pipeline, SourceStatus("down", "cut"), source="first")
    assert (2840,) == flushed(pipeline).selections["home"].prices
    update(pipeline, SourceStatus("down", "cut"), source="second")
    assert ("suspended", "source_down") == state(flushed(pipeline))


def test_a_market_changes_once_a_flush_however_often_its_source_did() -> None:
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    update(pipeline, *GOOD)
    version = flushed(pipeline).v
    for odds in (2.1, 2.2, 2.3):
        update(pipeline, MarketUpdate("1.1", books=[a_quote("home", odds)]))
    assert version + 1 == flushed(pipeline).v


def test_a_market_stays_while_its_source_replaces_its_id() -> None:
    """The new id quotes it, so the end of the old one is no withdrawal."""
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    update(pipeline, *GOOD)
    replaced = market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0), source_id="1.2")
    update(pipeline, *replaced)
    flushed(pipeline)
    update(pipeline, MarketGone("1.1"))
    assert ("open", None) == state(flushed(pipeline))


def test_a_market_comes_back_by_what_another_id_quotes_after_one_was_withdrawn() -> None:
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    update(pipeline, *GOOD)
    update(pipeline, MarketUpdate("1.2", True, a_definition(), [a_quote("home", 2.1), a_quote("away", 1.9)]))
    flushed(pipeline)
    update(pipeline, MarketGone("1.2"))
    assert ("suspended", "withdrawn") == state(flushed(pipeline)), "its other quotes are older"
    update(pipeline, MarketUpdate("1.1", False, None, [a_quote("home", 1.9), a_quote("away", 2.1)]))
    assert ("open", None) == state(flushed(pipeline))
    update(pipeline, MarketGone("1.1"))
    assert ("suspended", "withdrawn") == state(flushed(pipeline))


def test_an_id_that_was_replaced_may_go_after_the_event_has_ended() -> None:
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    for source_id in ("1.1", "1.2"):
        update(pipeline, *market_updates(a_definition(status="closed"), source_id=source_id))
    flushed(pipeline)
    for now_ms in (0, 1000):
        pipeline.retire(0, now_ms, keep_ms=500)
    update(pipeline, MarketGone("1.1"))
    assert flushed(pipeline) is None


def test_prices_wait_for_the_definition() -> None:
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    update(pipeline, MarketUpdate("1.1", image=True, books=[a_quote("home", 2.0), a_quote("away", 2.0)]))
    assert flushed(pipeline) is None
    event, _ = GOOD
    update(pipeline, event, MarketUpdate("1.1", definition=a_definition()))
    assert ("open", None) == state(flushed(pipeline))


def test_an_orphaned_market_is_published_with_its_event() -> None:
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    event, market = GOOD
    update(pipeline, market)
    assert flushed(pipeline) is None
    update(pipeline, event)
    assert ("open", None) == state(flushed(pipeline))


def test_an_event_stays_in_the_competition_it_was_first_published_in() -> None:
    """Subscribers of the competition would otherwise keep prices that are never withdrawn."""
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    update(pipeline, *GOOD)
    flushed(pipeline)
    update(pipeline, EventUpdate(an_event("e1", competition="other", in_play=True)))
    flushed(pipeline)
    record = pipeline.offers[0].events[EventId("e1")].record
    assert ("cup", True) == (record.description.competition.id, record.progress.in_play)


def test_an_ended_event_is_removed_after_a_while_with_all_its_state() -> None:
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    update(pipeline, *market_updates(a_definition(status="closed")))
    flushed(pipeline)
    pipeline.retire(0, now_ms=1000, keep_ms=500)
    pipeline.retire(0, now_ms=1400, keep_ms=500)
    assert MARKET in pipeline.offers[0].markets
    pipeline.retire(0, now_ms=1500, keep_ms=500)
    assert {} == pipeline.offers[0].events
    assert {} == pipeline.books["src"].markets
    assert [] == list(pipeline.quoting(MARKET))
    update(pipeline, *GOOD)
    assert ("open", None) == state(flushed(pipeline)), "it may still reopen"


def test_an_event_with_one_open_market_stays() -> None:
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    update(pipeline, *GOOD)
    update(pipeline, MarketUpdate("1.2", image=True, definition=a_definition("e1/total", status="closed")))
    flushed(pipeline)
    for now_ms in (0, 10_000):
        pipeline.retire(0, now_ms, 500)
    assert {EventId("e1")} == pipeline.offers[0].events.keys()


def test_events_are_spread_over_shards_and_each_is_complete_in_one() -> None:
    pipeline = a_pipeline(shards=4)
    pipeline.receive(live(), 1)
    for number in range(20):
        event = f"e{number}"
        update(
            pipeline,
            *market_updates(
                a_definition(f"{event}/match_odds"), a_quote("home", 2.0), a_quote("away", 2.0), source_id=f"1.{number}"
            ),
        )
    for shard in range(4):
        pipeline.flush(shard, 0)
        pipeline.offers[shard].commit(0)
    assert 20 == sum(len(offer.markets) for offer in pipeline.offers)
    assert all(offer.markets for offer in pipeline.offers)
    assert all(market.identity.event in offer.events for offer in pipeline.offers for market in offer.markets.values())


def test_adopted_rules_reprice_what_they_change_once() -> None:
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    update(pipeline, *GOOD)
    version = flushed(pipeline).v
    pipeline.adopt(Pricer({"default": Profile()}))
    assert version == flushed(pipeline).v, "the same rules change nothing"
    pipeline.adopt(Pricer({"default": Profile(book_sum=1.25)}))
    market = flushed(pipeline)
    assert (version + 1, (1600,)) == (market.v, market.selections["home"].prices)


def test_other_profiles_have_their_prices_with_the_next_flush() -> None:
    first, second = Profile(book_sum=1.05), Profile(book_sum=1.25)
    pipeline = Pipeline(Pricer({"first": first, "second": second}), ("src",))
    pipeline.receive(live(), 1)
    update(pipeline, *GOOD)
    market = flushed(pipeline)
    (one, two), version = market.selections["home"].prices, market.v
    pipeline.adopt(Pricer({"second": second, "third": first, "first": first}))
    market = flushed(pipeline)
    assert (("second", "third", "first"), (two, one, one)) == (pipeline.offers[0].profiles, market.selections["home"].prices)
    pipeline.adopt(Pricer({"first": first}))
    assert ((one,), "open") == (flushed(pipeline).selections["home"].prices, flushed(pipeline).state.status)
    assert version < flushed(pipeline).v


def quoted_differently() -> Pipeline:
    """Of a market that the second source has at longer odds."""
    pipeline = a_pipeline("first", "second")
    for source, odds in (("first", 2.0), ("second", 3.0)):
        pipeline.receive(live(source), 1)
        updates = market_updates(a_definition(), a_quote("home", odds), a_quote("away", odds / (odds - 1)))
        update(pipeline, *updates, source=source)
    return pipeline


def test_other_sourcing_rules_choose_another_source_with_the_next_flush() -> None:
    pipeline = quoted_differently()
    before = flushed(pipeline).selections["home"].prices
    pipeline.choose_by([SourcingRule(sources=("second",))])
    market = flushed(pipeline)
    assert "open" == market.state.status
    assert before < market.selections["home"].prices
    pipeline.choose_by([])
    assert before == flushed(pipeline, 60_000).selections["home"].prices


def test_sourcing_rules_that_ask_for_the_event_choose_by_it_where_none_did_before() -> None:
    pipeline = quoted_differently()
    before = flushed(pipeline).selections["home"].prices
    pipeline.choose_by([SourcingRule(competition="cup", sources=("second",))])
    assert before < flushed(pipeline).selections["home"].prices


def test_prices_are_published_with_their_whole_market_where_it_is_suspended_on_offer() -> None:
    pipeline = a_pipeline()
    pipeline.receive(live(), 1)
    update(pipeline, *GOOD)
    market = flushed(pipeline)
    pipeline.offers[0].suspend(market.id, "recovering")
    update(pipeline, *market_updates(a_definition(), a_quote("home", 2.2), a_quote("away", 1.8), image=False))
    assert "open" == flushed(pipeline).state.status


def test_adopted_rules_do_not_trust_a_jump_that_was_not_trusted() -> None:
    profile = Profile(jump_limit=0.2)
    pipeline = Pipeline(Pricer({"default": profile}), ("src",))
    pipeline.receive(live(), 1)
    update(pipeline, *GOOD)
    flushed(pipeline)
    update(pipeline, *market_updates(a_definition(), a_quote("home", 5.0), a_quote("away", 1.25), image=False))
    assert "spike" == flushed(pipeline).state.reason
    pipeline.adopt(Pricer({"default": profile}))
    assert "spike" == flushed(pipeline).state.reason
    update(pipeline, *market_updates(a_definition(), a_quote("home", 5.01), a_quote("away", 1.249), image=False))
    assert "open" == flushed(pipeline).state.status


def test_a_market_of_a_silent_source_is_suspended_until_its_next_update() -> None:
    pipeline = Pipeline(Pricer({"patient": Profile(), "strict": Profile(max_age_s=5.0)}), ("src",))
    pipeline.receive(live(), 0)
    pipeline.receive(a_batch(*GOOD), 1000)

    def at(now_ms: int) -> tuple[str, str | None]:
        pipeline.tick(now_ms)
        return state(flushed(pipeline, now_ms))

    assert ("open", None) == at(1000)
    assert ("open", None) == at(6000)
    assert ("suspended", "source_old") == at(6001)
    pipeline.receive(a_batch(MarketUpdate("1.1", books=[a_quote("home", 2.0)])), 9000)
    assert ("open", None) == at(9000)


def test_a_jump_suspends_until_another_update_confirms_it() -> None:
    pipeline = Pipeline(Pricer({"default": Profile(jump_limit=0.3)}), ("src",))
    pipeline.receive(live(), 0)
    pipeline.receive(a_batch(*GOOD), 1)

    def quoted(home: float, away: float, now_ms: int) -> tuple[str, str | None]:
        pipeline.receive(a_batch(MarketUpdate("1.1", books=[a_quote("home", home), a_quote("away", away)])), now_ms)
        return state(flushed(pipeline, now_ms))

    assert ("open", None) == state(flushed(pipeline))
    assert ("open", None) == quoted(1.8, 2.25, 2), "a small move is no jump"
    assert ("suspended", "spike") == quoted(1.2, 6.0, 3)
    pipeline.receive(live(), 4)
    assert ("suspended", "spike") == state(flushed(pipeline, 4)), "time alone confirms nothing"
    assert ("suspended", "spike") == quoted(1.8, 2.25, 5), "another jump is no confirmation"
    assert ("open", None) == quoted(1.8, 2.22, 6)


def test_what_a_market_reopens_at_is_not_a_jump() -> None:
    pipeline = Pipeline(Pricer({"default": Profile(jump_limit=0.3)}), ("src",))
    pipeline.receive(live(), 0)
    pipeline.receive(a_batch(*GOOD), 1)
    flushed(pipeline)
    pipeline.receive(a_batch(MarketUpdate("1.1", definition=a_definition(status="suspended"))), 2)
    flushed(pipeline)
    goal = MarketUpdate("1.1", definition=a_definition(), books=[a_quote("home", 1.2), a_quote("away", 6.0)])
    pipeline.receive(a_batch(goal), 3)
    assert ("open", None) == state(flushed(pipeline))
