"""Which fixtures are one event. Pure.

Pinnacle lists a match as several fixtures: before the match, live, and one for each unit (corners, sets). All but the first have
it as their `parentId`. Fixtures of one match are one event, whose id is the first one's; those that name other bets on it, as do
"(PEN)", "(-1.5 Sets)" or "To Win Set 1", stay events of their own. A match that was listed wrongly comes again under a greater
id, while the first may still be listed: the greater one counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from feeds.adapters.pinnacle.messages import Fixture
from feeds.toolkit.timestamps import time_ms
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId, event_id

if TYPE_CHECKING:
    from collections.abc import Iterable

LIVE: Final = 1
LIVE_ELSEWHERE: Final = 2
_UNAVAILABLE: Final = "H"
#: A fixture whose pre-match one is not listed is another bet if its names say so.
_OTHER_BET: Final = re.compile(r"\(([-+]?\d|pen|et\b|to |\d(st|nd|rd|th) )|\bto win\b", re.IGNORECASE)
_MAX_DEPTH: Final = 4


class Listed(NamedTuple):
    """A fixture with its league. `unavailable_at`: the number of the answer that made it unavailable, None while it is not."""

    fixture: Fixture
    league_id: int
    league_name: str
    unavailable_at: int | None

    @property
    def names(self) -> tuple[str, str]:
        """The names of both sides, without the unit behind them: "Viking (Corners)" is Viking."""
        unit = re.escape(f"({self.fixture.resultingUnit or ''})")
        home, away = (re.sub(rf"\s*{unit}$", "", name, flags=re.IGNORECASE) for name in (self.fixture.home, self.fixture.away))
        return home, away

    @property
    def is_live_fixture(self) -> bool:
        """Whether it is the live fixture of a match."""
        return self.fixture.liveStatus == LIVE

    def has_started(self, now_ms: int) -> bool:
        """Check whether a match that is offered live has started: it is listed hours before."""
        start_ms = time_ms(self.fixture.starts)
        return self.fixture.liveStatus in {LIVE, LIVE_ELSEWHERE} and start_ms is not None and start_ms <= now_ms


class FixtureRegister:
    """The fixtures of one sport by event.

    Args:
        name: the feed's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.listed: dict[int, Listed] = {}
        self.event_of: dict[int, EventId] = {}
        #: event -> its fixtures, the one that describes it first
        self.members: dict[EventId, tuple[Listed, ...]] = {}
        #: first fixture -> the one that it was listed again as
        self._replaced: dict[int, int] = {}

    def enter(self, fixture: Fixture, league_id: int, league_name: str, answer: int) -> Listed:
        """Return a fixture as it is listed in an answer; `answer` counts the answers."""
        known = self.listed.get(fixture.id)
        before = known.unavailable_at if known is not None else None
        unavailable_at = (before or answer) if fixture.status == _UNAVAILABLE else None
        return Listed(fixture, league_id, league_name, unavailable_at)

    def update(self, changed: dict[int, Listed], *, is_snapshot: bool) -> list[EventId]:
        """Apply changed fixtures, or all of them. Return the events that changed, in the order of their ids."""
        self.listed = dict(changed) if is_snapshot else {**self.listed, **changed}
        self._replaced = _replacements(self.listed.values())
        self.event_of = {number: event_id(self._name, str(self._root(listed))) for number, listed in self.listed.items()}
        grouped: dict[EventId, list[Listed]] = {}
        for number, listed in self.listed.items():
            if number in self._replaced:
                continue
            grouped.setdefault(self.event_of[number], []).append(listed)
        members = {event: tuple(sorted(each, key=_rank)) for event, each in grouped.items()}
        touched = [event for event in members.keys() | self.members.keys() if members.get(event) != self.members.get(event)]
        self.members = members
        return sorted(touched)

    def event(self, event: EventId, sport: str, now_ms: int, score: str | None = None) -> Event:
        """Describe an event."""
        first = self.members[event][0]
        home, away = first.names
        return Event(
            id=event,
            sport=sport,
            competition=Competition(f"{self._name}.{first.league_id}", first.league_name or str(first.league_id)),
            name=f"{home} v {away}",
            participants=(home, away),
            start_ms=time_ms(first.fixture.starts),
            in_play=has_started(self.members[event], now_ms),
            score=score,
        )

    def _root(self, listed: Listed) -> int:
        """Return the id of the fixture that the event is named after."""
        parent_id = listed.fixture.parentId
        if parent_id is None:
            return self._replaced.get(listed.fixture.id, listed.fixture.id)
        for _ in range(_MAX_DEPTH):
            parent = self.listed.get(parent_id)
            if parent is None or parent.fixture.parentId is None:
                break
            parent_id = parent.fixture.parentId
        parent_id = self._replaced.get(parent_id, parent_id)
        parent = self.listed.get(parent_id)
        if parent is None:
            is_same = not any(_OTHER_BET.search(name) for name in listed.names)
        else:
            is_same = [name.casefold() for name in listed.names] == [name.casefold() for name in parent.names]
        return parent_id if is_same else listed.fixture.id


def _replacements(listed: Iterable[Listed]) -> dict[int, int]:
    """Return which first fixtures were listed again: those with the names, the unit and the start of one with a greater id.

    Source: Pinnacle's FAQ, "How to handle duplicated parent events?".
    """
    by_match: dict[tuple[str, str, str | None, int], list[int]] = {}
    for each in listed:
        start_ms = time_ms(each.fixture.starts)
        if each.fixture.parentId is None and start_ms is not None:
            home, away = (name.casefold() for name in each.names)
            by_match.setdefault((home, away, each.fixture.resultingUnit, start_ms), []).append(each.fixture.id)
    return {key: max(keys) for keys in by_match.values() if len(keys) > 1 for key in keys if key != max(keys)}


def has_started(members: tuple[Listed, ...], now_ms: int) -> bool:
    """Check whether the match of these fixtures has started and is offered live."""
    return any(listed.has_started(now_ms) for listed in members)


def _rank(listed: Listed) -> tuple[bool, bool, int]:
    fixture = listed.fixture
    return fixture.parentId is not None, (fixture.resultingUnit or "Regular") != "Regular", fixture.id
