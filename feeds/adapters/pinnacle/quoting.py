"""The periods of one sport as markets of events. Pure."""

from __future__ import annotations

from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from feeds.adapters.pinnacle.fixtures import has_started
from feeds.adapters.pinnacle.markets import cutoff_ms, to_markets
from feeds.adapters.pinnacle.messages import Period
from feeds.adapters.pinnacle.periods import period_of
from feeds.toolkit.quote_cache import QuoteCache
from feeds.toolkit.standard_markets import Phase
from feeds.toolkit.timestamps import time_ms
from feeds.toolkit.units import line_unit

if TYPE_CHECKING:
    from feeds.adapters.pinnacle.fixtures import Listed
    from oddsengine.domain.feed_updates import FeedUpdate
    from oddsengine.domain.ids import EventId


class _Received(NamedTuple):
    """A period, and the number of the answer it came with."""

    period: Period
    answer: int


class SportQuotes:
    """The periods of one sport by fixture, and the quotes that follow from them.

    Args:
        sport: the domain's word for the sport.
    """

    def __init__(self, sport: str) -> None:
        self._sport = sport
        self._periods: dict[int, dict[int, _Received]] = {}
        #: fixture -> the last score received
        self._scores: dict[int, str] = {}
        self.quote_cache = QuoteCache()
        #: event -> when time alone will change it next, Unix milliseconds: a start or a cut-off
        self.next_ms: dict[EventId, int] = {}

    def set_period(self, fixture: int, period: Period, answer: int) -> None:
        """Set a period of a fixture; `answer` counts the answers."""
        self._periods.setdefault(fixture, {})[period.number] = _Received(period, answer)

    def set_score(self, fixture: int, home: object, away: object) -> None:
        """Set the score of a fixture, which does not come with every answer."""
        if isinstance(home, int | float) and isinstance(away, int | float) and isfinite(home + away):
            self._scores[fixture] = f"{home:g}-{away:g}"

    def score(self, members: tuple[Listed, ...]) -> str | None:
        """Return the score of an event, by its fixture of what the sport's score counts; None if it has none."""
        scores = (
            self._scores.get(listed.fixture.id)
            for listed in members
            if line_unit(self._sport, listed.fixture.resultingUnit) is None
        )
        return next((score for score in scores if score is not None), None)

    def forget(self, fixture: int) -> None:
        """Forget what a fixture quoted, and its score."""
        self._periods.pop(fixture, None)
        self._scores.pop(fixture, None)

    def remove_event(self, event: EventId) -> list[FeedUpdate]:
        """Withdraw an event with all its markets."""
        self.next_ms.pop(event, None)
        return self.quote_cache.remove_event(event)

    def requote(self, event: EventId, members: tuple[Listed, ...], now_ms: int) -> list[FeedUpdate]:
        """Assemble the markets of an event from its fixtures and return what has changed."""
        started = has_started(members, now_ms)
        changes_ms = [start for each in members if (start := time_ms(each.fixture.starts)) is not None]
        updates: list[FeedUpdate] = []
        retained: set[str] = set()
        for listed in self._in_use(members, is_live=started):
            for number, received in self._periods.get(listed.fixture.id, {}).items():
                period = period_of(self._sport, number)
                if period is None:
                    continue
                closes_ms = cutoff_ms(received.period)
                if closes_ms is None and not listed.fixture.liveStatus:
                    # It is not offered live, here or elsewhere.
                    closes_ms = time_ms(listed.fixture.starts)
                changes_ms += [] if closes_ms is None else [closes_ms]
                is_open = _is_open(received, listed) and (closes_ms is None or now_ms < closes_ms)
                phase = Phase("open" if is_open else "suspended", started)
                unit = listed.fixture.resultingUnit
                had_draw = partial(self.quote_cache.has_draw, event)
                markets = to_markets(event, members[0].names, self._sport, unit, received.period, period, phase, had_draw)
                for definition, prices in markets:
                    if definition.id not in retained:
                        retained.add(definition.id)
                        updates += self.quote_cache.update_market(definition, prices)
        due_ms = min((change for change in changes_ms if change > now_ms), default=None)
        if due_ms is None:
            self.next_ms.pop(event, None)
        else:
            self.next_ms[event] = due_ms
        return updates + self.quote_cache.retain_markets(event, retained)

    def _in_use(self, members: tuple[Listed, ...], *, is_live: bool) -> list[Listed]:
        """Return the fixtures in use: for each unit the live ones once the match has started, the others before.

        Once it has started, pre-match quotes do not stand in for a live fixture that has none yet.
        """
        by_unit: dict[str | None, list[Listed]] = {}
        for listed in members:
            by_unit.setdefault(line_unit(self._sport, listed.fixture.resultingUnit), []).append(listed)
        in_use: list[Listed] = []
        for each in by_unit.values():
            preferred = [listed for listed in each if listed.is_live_fixture == is_live]
            in_use += preferred or each
        return in_use


def _is_open(received: _Received, listed: Listed) -> bool:
    """Check whether a period is open: by its own status, unless its fixture became unavailable after that."""
    if listed.unavailable_at is not None and (received.period.status is None or listed.unavailable_at > received.answer):
        return False
    return received.period.status in {None, 1}
