"""The clock of an engine's machine is set while it runs: ages stay true, rules on the time to the start follow."""

from __future__ import annotations

import pytest

from oddsengine.common.clock import ProcessClock
from oddsengine.domain.ids import MarketId
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from tests.support.builders import a_batch, a_definition, a_quote, live, market_updates

MARKET = MarketId("e1/match_odds")
MAX_AGE_S = 30.0


class RunningPipeline:
    """A pipeline by a process's clock, whose system's clock can be set."""

    def __init__(self, profile: Profile) -> None:
        self.wall_s = 1_800_000_000.0
        self.monotonic_s = 0.0
        self.clock = ProcessClock(lambda: self.wall_s, lambda: self.monotonic_s)
        self.pipeline = Pipeline(Pricer({"default": profile}), ("src",))
        self.pipeline.receive(live(), self.clock.now_ms())

    def passes(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds
        self.flush()

    def is_set_by(self, seconds: float) -> None:
        self.wall_s += seconds
        assert self.clock.check()
        self.pipeline.follow_clock(self.clock.step_ms)
        self.flush()

    def hears(self, start_ms: int | None = None) -> None:
        quotes = a_quote("home", 2.0), a_quote("away", 2.0)
        self.pipeline.receive(a_batch(*market_updates(a_definition(start_ms=start_ms), *quotes)), self.clock.now_ms())
        self.flush()

    def flush(self) -> None:
        now_ms = self.clock.now_ms()
        self.pipeline.tick(now_ms)
        self.pipeline.flush(0, now_ms)

    @property
    def state(self) -> tuple[str, str | None]:
        state = self.pipeline.offers[0].markets[MARKET].state
        return state.status, state.reason


@pytest.mark.parametrize("step_s", [-3600.0, 10.0, 3600.0])
def test_the_age_of_a_source_is_true_whatever_the_clock_does(step_s: float) -> None:
    """No market is suspended because of the step, and none stays open because of it."""
    running = RunningPipeline(Profile(max_age_s=MAX_AGE_S))
    running.hears()
    running.passes(MAX_AGE_S - 5)
    running.is_set_by(step_s)
    assert ("open", None) == running.state
    running.passes(10)
    assert ("suspended", "source_old") == running.state
    running.hears()
    assert ("open", None) == running.state


def test_rules_on_the_time_to_the_start_follow_the_system_clock() -> None:
    """It was an hour slow: the market starts in ten minutes, not in seventy."""
    running = RunningPipeline(Profile(rules=(Rule(starts_within_min=15, suspend=True),)))
    running.hears(start_ms=running.clock.now_ms() + 70 * 60_000)
    assert ("open", None) == running.state
    running.is_set_by(3600)
    assert ("suspended", "rule") == running.state
    running.is_set_by(-3600)
    assert ("open", None) == running.state


def test_rules_that_are_reloaded_after_a_step_know_of_it() -> None:
    running = RunningPipeline(Profile())
    running.hears(start_ms=running.clock.now_ms() + 70 * 60_000)
    running.is_set_by(3600)
    running.pipeline.adopt(Pricer({"default": Profile(rules=(Rule(starts_within_min=15, suspend=True),))}))
    running.flush()
    assert ("suspended", "rule") == running.state
