"""A pipeline with several feeds, in the domain's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feeds.toolkit.standard_markets import Phase, match_result
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketUpdate
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.sourcing_rule import SourcingRule
from tests.support.builders import a_batch, live

if TYPE_CHECKING:
    from oddsengine.sourcing.matching.matcher import MatchingSettings

KICK_OFF = 1_795_532_400_000
OPEN = Phase()


def a_match(key: str, home: str = "Leeds United", away: str = "Fulham", start: int = KICK_OFF) -> Event:
    competition = Competition(f"{key.partition('.')[0]}.league", "League")
    return Event(
        id=EventId(key),
        sport="football",
        competition=competition,
        name=f"{home} v {away}",
        participants=(home, away),
        start_ms=start,
    )


class Feeds:
    """A pipeline and the feeds that update it."""

    def __init__(
        self, *sources: str, matching: MatchingSettings | None = None, defers_matching: bool = False, **rule: Any
    ) -> None:
        profile = Profile(ladder="decimal_3", book_sum=1.0, devig="multiplicative")
        rules = [SourcingRule(**rule)] if rule else []
        self.pipeline = Pipeline(Pricer({"default": profile}), sources, 1, rules, matching, defers_matching=defers_matching)
        self.now = 0
        for source in sources:
            self.pipeline.receive(live(source), 0)

    def update(self, source: str, *updates: Any) -> Feeds:
        self.pipeline.receive(a_batch(*updates, source=source), self.now)
        return self

    def match(self, source: str, event: Event, home: float = 2.0, away: float = 2.0, phase: Phase = OPEN) -> Feeds:
        first, second = event.participants
        definition = match_result(event.id, first, second, phase, three_way=False)
        books = [BookChange("home", quote=home), BookChange("away", quote=away)]
        return self.update(
            source, EventUpdate(event), MarketUpdate(definition.id, image=True, definition=definition, books=books)
        )

    def flushed(self) -> Feeds:
        self.pipeline.tick(self.now)
        self.pipeline.flush(0, self.now)
        self.pipeline.offers[0].commit(self.now)
        return self

    @property
    def events(self) -> set[str]:
        self.flushed()
        return set(self.pipeline.offers[0].events)

    def market(self, key: str) -> tuple[str, str | None, dict[str, int | None]]:
        self.flushed()
        record = self.pipeline.offers[0].markets[MarketId(key)]
        return record.state.status, record.state.reason, {name: each.prices[0] for name, each in record.selections.items()}
