"""Compares two offers over time, market by market, at the same moments.

Between two observations of a market nothing changes, so that sums over time are exact, whatever the number of changes: a price
that holds for a second counts a tenth of one that holds for ten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.repricing.report import Report
from oddsengine.repricing.stakes import results_of
from oddsengine.repricing.totals import Totals
from oddsengine.repricing.views import view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.ids import MarketId
    from oddsengine.repricing.stakes import Results
    from oddsengine.repricing.views import MarketView, Observation

THEN: Final = 0
NEW: Final = 1
#: The line of all market types together.
ALL: Final = "all"


class _Market:
    """A market in each profile, on both sides."""

    __slots__ = ("results", "since_ms", "totals", "views")

    def __init__(self, totals: list[Totals], at_ms: int) -> None:
        #: for each profile those of its type
        self.totals = totals
        nothing: list[MarketView | None] = [None] * len(totals)
        self.views = [nothing, nothing]
        self.since_ms = at_ms
        self.results: list[Results | None] = [None, None]


class Comparison:
    """Takes the observations of both sides, each in order of time, and those of both together in order of time.

    Args:
        profiles: the profiles that are compared.
        since_ms: where the comparison begins, Unix milliseconds. What was observed before is how it begins.
        until_ms: where it ends. What is observed after is taken only for its results.
    """

    def __init__(self, profiles: Sequence[str], since_ms: int, until_ms: int) -> None:
        self.since_ms = since_ms
        self.until_ms = until_ms
        self._profiles = tuple(profiles)
        #: the profiles that a side has had prices of
        self.seen_profiles: tuple[set[str], set[str]] = (set(), set())
        self._places: dict[tuple[str, ...], list[int | None]] = {}
        self._markets: dict[MarketId, _Market] = {}
        self._totals: dict[tuple[str, str], Totals] = {}
        self._unknown_since_ms: int | None = None
        self._unknown_ms = 0

    @property
    def markets(self) -> list[MarketId]:
        """All markets that were observed, in the order of their ids."""
        return sorted(self._markets)

    def observe(self, side: int, seen: Observation) -> None:
        """Take over what a side has of a market from a time on."""
        record = seen.record
        market = self._markets.get(seen.market)
        if market is None:
            if record is None:
                return
            market = self._markets[seen.market] = _Market(self._totals_of(record.identity.type), seen.at_ms)
        if record is not None and (results := results_of(record)) is not None:
            market.results[side] = results
        if seen.at_ms >= self.until_ms:
            return
        views: list[MarketView | None] = [None] * len(self._profiles)
        if record is not None:
            places = self._places_of(side, seen.profiles)
            views = [None if place is None else view_of(record, place) for place in places]
        before = market.views[side]
        if views == before:
            return
        self._account(seen.market, market, seen.at_ms)
        if seen.at_ms >= self.since_ms and self._unknown_since_ms is None:
            for i, (old, new) in enumerate(zip(before, views, strict=True)):
                # A market that comes or leaves has not changed.
                if old is not None and new is not None and old != new:
                    market.totals[i].sides[side].changes += 1
        market.views[side] = views

    def lose(self, at_ms: int) -> None:
        """Compare nothing from a time on: it is not known what was published."""
        self._account_all(at_ms)
        if self._unknown_since_ms is None:
            self._unknown_since_ms = at_ms

    def regain(self, at_ms: int) -> None:
        """Compare again: everything is known."""
        if self._unknown_since_ms is not None:
            self._unknown_ms += max(0, min(at_ms, self.until_ms) - max(self._unknown_since_ms, self.since_ms))
            self._account_all(at_ms)
            self._unknown_since_ms = None

    def finish(self, at_ms: int) -> Report:
        """End the comparison, at the latest at a time, and return what differs."""
        self.until_ms = until_ms = max(self.since_ms, min(self.until_ms, at_ms))
        self._account_all(until_ms)
        self.regain(until_ms)
        lines = []
        for profile in self._profiles:
            of_all, of_types = Totals(), []
            for market_type, totals in self._of_profile(profile):
                of_all.absorb(totals)
                of_types.append(totals.line(profile, market_type, self._results_of))
            lines += [of_all.line(profile, ALL, self._results_of), *of_types] if of_types else []
        return Report(from_ms=self.since_ms, to_ms=until_ms, unknown_s=self._unknown_ms / 1000, lines=lines)

    def _of_profile(self, profile: str) -> list[tuple[str, Totals]]:
        """Return the types of which anything was on offer."""
        found = [
            (market_type, totals)
            for (each, market_type), totals in sorted(self._totals.items(), key=lambda item: item[0])
            if each == profile
        ]
        return [(market_type, totals) for market_type, totals in found if totals.is_offered]

    def _results_of(self, market: MarketId) -> Results | None:
        then, new = self._markets[market].results
        return then or new

    def _places_of(self, side: int, profiles: tuple[str, ...]) -> list[int | None]:
        places = self._places.get(profiles)
        if places is None:
            places = [profiles.index(each) if each in profiles else None for each in self._profiles]
            self._places[profiles] = places
        self.seen_profiles[side].update(profiles)
        return places

    def _totals_of(self, market_type: str) -> list[Totals]:
        return [self._totals.setdefault((profile, market_type), Totals()) for profile in self._profiles]

    def _account_all(self, at_ms: int) -> None:
        for name, market in self._markets.items():
            self._account(name, market, at_ms)

    def _account(self, name: MarketId, market: _Market, at_ms: int) -> None:
        since_ms = max(market.since_ms, self.since_ms)
        until_ms = min(at_ms, self.until_ms)
        market.since_ms = max(market.since_ms, at_ms)
        if until_ms <= since_ms or self._unknown_since_ms is not None:
            return
        then, new = market.views
        for i, totals in enumerate(market.totals):
            totals.add(name, then[i], new[i], since_ms, until_ms)
