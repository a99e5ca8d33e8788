"""A rule of which sources price some markets, as the config has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from oddsengine.domain.events import Event


class SourcingRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The selection of sources for markets of a `sport`, `competition` and `in_play`; the last matching rule applies.

    `mode` `priority` takes the first healthy source, `consensus` the weighted median of all healthy ones, at least `min_sources`
    of them, without those that have other selections than the first or differ from the median by more than `outlier` (in
    probability). `sources`: those that may price, most preferred first; a feed's name means all its sources; empty means all, in
    the config's order. `hold_s`: how long a preferred source must be healthy before a market returns to it. `primary_suspends`:
    whether a suspension by the first source suspends the market even if others are open. `shared_state`: whether a source's
    pre-match price is refused while any live source says in play, and any price while another source has closed the market.
    `late_in_play`: sources that are known to report in play late, and are not refused for it.
    """

    sport: str | tuple[str, ...] | None = None
    competition: str | tuple[str, ...] | None = None
    in_play: bool | None = None
    mode: Literal["priority", "consensus"] = "priority"
    sources: tuple[str, ...] = ()
    weights: dict[str, Annotated[float, Meta(gt=0)]] = {}
    min_sources: Annotated[int, Meta(ge=1)] = 2
    outlier: Annotated[float, Meta(gt=0, le=1)] = 0.05
    hold_s: Annotated[float, Meta(ge=0)] = 30.0
    primary_suspends: bool = True
    shared_state: bool = True
    late_in_play: tuple[str, ...] = ()

    def matches(self, event: Event | None, *, in_play: bool) -> bool:
        """Check whether the rule applies to the markets of an event."""
        if self.in_play is not None and self.in_play != in_play:
            return False
        if self.sport is not None and (event is None or event.sport not in _names(self.sport)):
            return False
        if self.competition is None:
            return True
        return event is not None and not {event.competition.id, event.competition.name}.isdisjoint(_names(self.competition))

    def rank(self, source: str) -> int | None:
        """Return a source's rank, 0 for the most preferred; None if it may not price."""
        if not self.sources:
            return 0
        return next((rank for rank, name in enumerate(self.sources) if _is_of(source, name)), None)

    def is_late(self, source: str) -> bool:
        """Check whether a source is known to report in play late."""
        return any(_is_of(source, name) for name in self.late_in_play)

    def weight(self, source: str) -> float:
        """Return a source's weight in a consensus."""
        return self.weights.get(source) or self.weights.get(source.partition(".")[0]) or 1.0


def _is_of(source: str, name: str) -> bool:
    return source == name or source.startswith(f"{name}.")


def _names(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
