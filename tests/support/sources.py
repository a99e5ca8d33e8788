"""Sources of one event that say one thing after another, and what is published of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oddsengine.domain.feed_updates import EventUpdate, MarketUpdate, SourceStatus
from oddsengine.domain.ids import MarketId
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.sourcing_rule import SourcingRule
from tests.support.builders import a_batch, a_definition, a_quote, an_event, live

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import MarketDefinition

A, B, C = "f.a", "f.b", "f.c"
MONEYLINE = MarketId("e1/moneyline")
OPEN, CLOSED = ("open", None), ("closed", None)
HOUR_MS = 3_600_000
MINUTE_MS = 60_000


class Sources:
    """Some sources of one event that say one thing after another, and what is published of it."""

    def __init__(self, *sources: str, profile: Profile | None = None, tiers: Any = None, **rule: Any) -> None:
        self.now = 0
        rules = [SourcingRule(**{"hold_s": 0.0, **rule})]
        profile = profile or Profile(ladder="decimal_3", book_sum=1.0)
        self.pipeline = Pipeline(Pricer({"default": profile}, tiers), sources, 1, rules)
        for source in sources:
            self.pipeline.receive(live(source), 0)
            self.event(source)

    def receive(self, source: str, *updates: Any) -> Sources:
        self.pipeline.receive(a_batch(*updates, source=source, at_ms=self.now), self.now)
        return self

    def event(self, source: str, **fields: Any) -> Sources:
        return self.receive(source, EventUpdate(an_event("e1", **fields)))

    def define(self, source: str, definition: MarketDefinition | None = None, **fields: Any) -> Sources:
        definition = definition or a_definition("e1/moneyline", type="moneyline", **fields)
        return self.receive(source, MarketUpdate("m", definition=definition))

    def quote(self, source: str, home: float = 2.0, away: float | None = None) -> Sources:
        away = away or 1 / (1 - 1 / home)
        return self.receive(source, MarketUpdate("m", books=[a_quote("home", home), a_quote("away", away)]))

    def offer(self, source: str, home: float = 2.0, **fields: Any) -> Sources:
        return self.define(source, **fields).quote(source, home)

    def health(self, source: str, health: Any) -> Sources:
        return self.receive(source, SourceStatus(health, "test"))

    def at(self, now_ms: int) -> Sources:
        self.now = now_ms
        return self

    def flushed(self) -> Sources:
        self.pipeline.tick(self.now)
        self.pipeline.flush(0, self.now)
        self.pipeline.offers[0].commit(self.now)
        return self

    def state(self, market: str = MONEYLINE) -> tuple[str, str | None]:
        record = self.flushed().pipeline.offers[0].markets[MarketId(market)]
        return record.state.status, record.state.reason

    def prices(self, market: str = MONEYLINE) -> dict[str, int | None]:
        return {
            key: each.prices[0] for key, each in self.flushed().pipeline.offers[0].markets[MarketId(market)].selections.items()
        }

    def results(self) -> dict[str, str]:
        return {key: each.status for key, each in self.flushed().pipeline.offers[0].markets[MONEYLINE].selections.items()}
