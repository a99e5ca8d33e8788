"""An event whose markets on its score are priced, and compared."""

from __future__ import annotations

from typing import Any

from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketUpdate
from oddsengine.domain.ids import MarketId
from oddsengine.engine.explain import explain
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_batch, a_definition, an_event, live


class Match:
    """An event whose markets are priced at the quotes of one source, which have no margin."""

    def __init__(self, sport: str = "football", solves_per_s: float = 40.0, profiles: dict[str, Profile] | None = None) -> None:
        profiles = profiles or {"default": Profile(book_sum=1.0, ladder="decimal_3", devig="multiplicative")}
        self.pipeline = Pipeline(Pricer(profiles, None, solves_per_s), ("src",))
        self.pipeline.receive(live(), 0)
        self.sport = sport
        self.now_ms = 0
        self.counts_all_goals = False
        self.event()

    def event(self, **fields: Any) -> None:
        """Describe the event, as with a score."""
        self.pipeline.receive(a_batch(EventUpdate(an_event(sport=self.sport, **fields))), self.now_ms)

    def quote(self, market: str, *, _status: str = "open", _in_play: bool = False, **odds: float) -> None:
        """Quote odds for a market, as `total/ft/2.5`; the last selection's follow from the others if it has 0."""
        kind, *parts = market.split("/")
        definition = a_definition(
            f"e1/{market}",
            tuple(odds),
            type=kind,
            period=parts[0] if parts else "ft",
            line=float(parts[-1]) if len(parts) > 1 else None,
            winners=2 if kind == "double_chance" else 1,
            status=_status,
            in_play=_in_play,
            counts_all_goals=self.counts_all_goals,
        )
        rest = 1 - sum(1 / each for each in odds.values() if each)
        books = [BookChange(f"s-{key}", quote=each or 1 / rest) for key, each in odds.items()]
        self.pipeline.receive(a_batch(MarketUpdate(market, True, definition, books)), self.now_ms)

    def flush(self, now_ms: int = 1) -> dict[str, str | None]:
        """Publish. Return why each market is suspended."""
        self.now_ms = now_ms
        self.pipeline.tick(now_ms)
        self.pipeline.flush(0, now_ms)
        self.pipeline.offers[0].commit(now_ms)
        return {key.partition("/")[2]: record.state.reason for key, record in self.pipeline.offers[0].markets.items()}

    def guard(self, market: str) -> dict[str, Any]:
        explanation = explain(self.pipeline, MarketId(f"e1/{market}"), self.now_ms)
        assert explanation is not None
        (found,) = [each for each in explanation["guards"] if each["guard"] == "arbitrage"]
        assert isinstance(found, dict)
        return found

    def legs(self, market: str) -> set[tuple[str, str]]:
        return {(leg["market"].partition("/")[2], leg["selection"]) for leg in self.guard(market)["legs"]}
