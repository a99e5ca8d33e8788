"""Suspend a market whose probabilities jump, until the jump is confirmed.

A jump is confirmed by a later update of the same source that stays within the limit of it, or at once by another source
that has the same probabilities. Time alone confirms nothing. What a market opens or reopens at is not a jump.

The guard is a state machine. `TRANSITIONS` holds all of it; `JumpGuard.check` only classifies what was priced.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from oddsengine.pricing.market.reference import reference_prices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oddsengine.pricing.market.market_book import MarketBook
    from oddsengine.sourcing.source_book import SourceMarket


# String enumerations, because they hash in C: a transition is looked up at every pricing with a jump limit.
class State(StrEnum):
    """Which of a market's probabilities are trusted."""

    #: none yet; the first ones will be
    NEW = "new"
    #: the last ones
    TRUSTED = "trusted"
    #: those of before a jump; the market is suspended
    SUSPECT = "suspect"


class Observation(StrEnum):
    """How new probabilities relate to the trusted ones, or in `SUSPECT` to those jumped to."""

    #: within the limit, by a later update
    NEAR = "near"
    #: within the limit, but priced again without an update in between
    REPEATED = "repeated"
    #: beyond the limit
    FAR = "far"
    #: repeated or far, and another source has the same probabilities
    CORROBORATED = "corroborated"


TRANSITIONS: Final[Mapping[tuple[State, Observation], State]] = {
    (State.NEW, Observation.NEAR): State.TRUSTED,
    (State.TRUSTED, Observation.NEAR): State.TRUSTED,
    (State.TRUSTED, Observation.FAR): State.SUSPECT,
    (State.TRUSTED, Observation.CORROBORATED): State.TRUSTED,
    (State.SUSPECT, Observation.NEAR): State.TRUSTED,
    (State.SUSPECT, Observation.REPEATED): State.SUSPECT,
    (State.SUSPECT, Observation.FAR): State.SUSPECT,
    (State.SUSPECT, Observation.CORROBORATED): State.TRUSTED,
}

# Bound once: Python 3.11 takes 0.1 us to look a member up on its class.
_TRUSTED, _SUSPECT = State.TRUSTED, State.SUSPECT
_NEAR, _FAR = Observation.NEAR, Observation.FAR


class JumpGuard:
    """The guard of one market.

    Attributes:
        state: the state.
        trusted: the last trusted probabilities, by selection; empty in `NEW`.
    """

    __slots__ = ("_suspect", "_suspect_received_ms", "state", "trusted")

    def __init__(self) -> None:
        self.state = State.NEW
        self.trusted: dict[str, float] = {}
        self._suspect: dict[str, float] = {}
        self._suspect_received_ms = 0

    def check(self, book: MarketBook, other_sources: Callable[[], Iterable[SourceMarket]]) -> bool:
        """Check a market that was just priced. Return whether it must be suspended.

        Args:
            book: the market, with a jump limit.
            other_sources: returns the books of the same market at other sources.
        """
        fair, received_ms = book.fair(), book.market.received_ms
        observation = self._observe(fair, received_ms, book.jump_limit)
        if observation is not _NEAR and _is_corroborated(book, fair, other_sources):
            observation = Observation.CORROBORATED
        self.state = TRANSITIONS[self.state, observation]
        if self.state is _TRUSTED:
            self.trusted = fair
            return False
        if observation is _FAR:
            self._suspect, self._suspect_received_ms = fair, received_ms
        return True

    def _observe(self, fair: dict[str, float], received_ms: int, limit: float) -> Observation:
        if self.state is _SUSPECT:
            if has_jumped(self._suspect, fair, limit):
                return _FAR
            return _NEAR if received_ms > self._suspect_received_ms else Observation.REPEATED
        return _FAR if has_jumped(self.trusted, fair, limit) else _NEAR


def has_jumped(before: Mapping[str, float], now: Mapping[str, float], limit: float) -> bool:
    """Check whether some probability differs from its earlier value by more than the share `limit` of that."""
    # A plain loop: `any` over a generator costs twice as much, at every pricing with a jump limit.
    for key, probability in now.items():
        earlier = before.get(key)
        if earlier is not None and abs(probability - earlier) > limit * earlier:
            return True
    return False


def _is_corroborated(book: MarketBook, fair: dict[str, float], other_sources: Callable[[], Iterable[SourceMarket]]) -> bool:
    profile = book.resolved[0].settings
    for market in other_sources():
        definition = market.definition
        if definition is None or definition.status != "open":
            continue
        priced = reference_prices(market, definition, profile)
        theirs = {key: selection.fair for key, selection in priced.selections.items() if selection.fair is not None}
        if priced.refusal is None and theirs.keys() >= fair.keys() and not has_jumped(theirs, fair, book.jump_limit):
            return True
    return False
