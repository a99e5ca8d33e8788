"""Follows the rows of a market: back for as long as it looked the same to a profile, and forward from change to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.domain.changes import MarketChange
from oddsengine.history.questions.cursors import Place
from oddsengine.history.questions.sightings import CHANGE, change_from, crossed, place_in, view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.history.questions.sightings import Gap, Profiles, Sighting

#: So many rows are looked at to find since when a market looked the same.
SCANNED_BACK: Final = 500


class ChangeThen(NamedTuple):
    """A change of a market; `change` is None where it has left the offer."""

    place: Place
    change: MarketChange | None
    price_index: int | None


class Since:
    """Goes back over the rows of a market for as long as it looked the same."""

    def __init__(self, found: Sighting, profiles: Profiles, profile: str | None, gaps: Sequence[Gap], *, with_fair: bool) -> None:
        assert found.record is not None  # noqa: S101 - it is on offer
        self.earliest = found
        self.profiles = profiles
        self._profile = profile
        self._gaps = gaps
        self._with_fair = with_fair
        self._view = self._view_of(found)
        self._scanned = 0
        self.is_ended = False
        self.is_exact = False

    def _view_of(self, sighting: Sighting) -> object:
        assert sighting.record is not None  # noqa: S101 - as the callers check
        index = place_in(self.profiles.of(sighting.position), self._profile)
        return view_of(sighting.record, index, with_fair=self._with_fair)

    def ends_with(self, earlier: Sighting) -> bool:
        """Take an earlier row. Return whether the market looked different, or that is not known."""
        self._scanned += 1
        if crossed(self._gaps, earlier.position, self.earliest.position) or self._scanned > SCANNED_BACK:
            self.is_ended = True
        elif earlier.record is None or self._view_of(earlier) != self._view:
            self.is_ended = self.is_exact = True
        else:
            self.earliest = earlier
        return self.is_ended

    def end(self) -> None:
        """Note that there are no earlier rows."""
        if not self.is_ended:
            # A whole state that no change has led to was there before the history.
            self.is_ended, self.is_exact = True, self.earliest.kind == CHANGE


class Page:
    """Collects the changes of a market that a profile saw."""

    def __init__(
        self, known: Sighting | None, profiles: Profiles, profile: str | None, gaps: Sequence[Gap], *, with_fair: bool
    ) -> None:
        self.changes: list[ChangeThen] = []
        self._before = known
        self._profiles = profiles
        self._profile = profile
        self._gaps = gaps
        self._with_fair = with_fair
        self._view: object = None
        if known is not None and known.record is not None:
            self._view = view_of(known.record, self._index_of(known), with_fair=with_fair)

    def _index_of(self, sighting: Sighting) -> int | None:
        return place_in(self._profiles.of(sighting.position), self._profile)

    def add(self, found: Sighting) -> None:
        """Add a row."""
        if any(gap.has(found.place.at_ms) and gap.until <= found.position for gap in self._gaps):
            return
        before = self._before
        if before is not None and crossed(self._gaps, before.position, found.position):
            before = self._before = self._view = None
        if found.record is None:
            if before is None or before.record is not None:
                self.changes.append(ChangeThen(found.place, None, None))
            self._view = None
        else:
            index = self._index_of(found)
            view = view_of(found.record, index, with_fair=self._with_fair)
            if view != self._view:
                self.changes.append(ChangeThen(found.place, change_from(before, found), index))
                self._view = view
        self._before = found
