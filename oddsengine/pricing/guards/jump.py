"""Suspend a market whose probabilities jump, until the jump is confirmed.

A jump is confirmed by a later update of the same source of the best offers, the last trade or the quote of a selection that
jumped, if all stay within the limit of it, or at once by another source that has the same probabilities now. Time alone confirms
nothing, nor do updates of other selections or deep in an order book. What a market opens at is not a jump, nor what its source
reopens it at; what it comes back at after its sources were lost, or had withdrawn it, may be one.

The guard is a state machine. `TRANSITIONS` holds all of it; `JumpGuard.check` only classifies what was priced.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.domain.feed_updates import PriceSize
from oddsengine.pricing.market.reference import reference_prices
from oddsengine.pricing.methods.implied import ConsensusBook
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import SourceMarket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oddsengine.pricing.market.market_book import MarketBook


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
    """The relation of new probabilities to the trusted ones, or in `SUSPECT` to those jumped to."""

    #: within the limit; in `SUSPECT`, by a later update of a selection that jumped
    NEAR = "near"
    #: within the limit, but priced again without such an update in between
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
_NEAR, _FAR, _REPEATED = Observation.NEAR, Observation.FAR, Observation.REPEATED


class OtherSource(NamedTuple):
    """The same market at another source that is live and not too old, and the settings that apply to it there."""

    market: SourceMarket
    profile: Profile


class _Jumped(NamedTuple):
    """A selection's book at a jump, with its version, best offers and last trade."""

    book: SelectionBook | None
    version: int
    quoted: tuple[PriceSize | None, PriceSize | None, float | None] | None

    @classmethod
    def of(cls, book: SelectionBook | None) -> _Jumped:
        return cls(None, 0, None) if book is None else cls(book, book.version, (*book.best(), book.last))

    def is_confirmed_by(self, book: SelectionBook | None) -> bool:
        """Check whether the source has since updated the selection's best offers, last trade or quote."""
        if book is None or (book is self.book and book.version == self.version):
            return False
        # A quote that changes, or what several sources agree on, is all that there is of a selection.
        is_whole = book.quote is not None or type(book) is ConsensusBook
        return book is not self.book or is_whole or (*book.best(), book.last) != self.quoted


class JumpGuard:
    """The guard of one market.

    Attributes:
        state: the state.
        trusted: the last trusted probabilities, by selection; empty in `NEW`.
    """

    __slots__ = ("_jumped", "_suspect", "state", "trusted")

    def __init__(self) -> None:
        self.state = State.NEW
        self.trusted: dict[str, float] = {}
        self._suspect: dict[str, float] = {}
        #: the selections that jumped
        self._jumped: dict[str, _Jumped] = {}

    def check(self, book: MarketBook, other_sources: Callable[[], Iterable[OtherSource]]) -> bool:
        """Check a market that was just priced. Return whether it must be suspended.

        Args:
            book: the market, with a jump limit.
            other_sources: returns the same market at other sources.
        """
        fair = book.fair()
        observation = self._observe(fair, book)
        if observation is not _NEAR and _is_corroborated(book, fair, other_sources):
            observation = Observation.CORROBORATED
        was_suspect = self.state is _SUSPECT
        self.state = TRANSITIONS[self.state, observation]
        if self.state is _TRUSTED:
            self.trusted = fair
            return False
        if observation is _FAR:
            before = self._suspect if was_suspect else self.trusted
            self._suspect, self._jumped = fair, _jumped_books(before, fair, book)
        return True

    def _observe(self, fair: dict[str, float], book: MarketBook) -> Observation:
        limit = book.jump_limit
        if self.state is _SUSPECT:
            if has_jumped(self._suspect, fair, limit):
                return _FAR
            return _NEAR if any(each.is_confirmed_by(book.book_of(key)) for key, each in self._jumped.items()) else _REPEATED
        return _FAR if has_jumped(self.trusted, fair, limit) else _NEAR


def has_jumped(before: Mapping[str, float], now: Mapping[str, float], limit: float) -> bool:
    """Check whether some probability differs from its earlier value by more than the share `limit` of that."""
    # A plain loop: `any` over a generator costs twice as much, at every pricing with a jump limit.
    for key, probability in now.items():
        earlier = before.get(key)
        if earlier is not None and abs(probability - earlier) > limit * earlier:
            return True
    return False


def _jumped_books(before: Mapping[str, float], now: Mapping[str, float], book: MarketBook) -> dict[str, _Jumped]:
    """Return the selections that jumped: those that the source updated, where any of them was.

    A probability that only moved because of another selection's update does not count as quoted by the source.
    """
    jumped = {
        key: _Jumped.of(book.book_of(key))
        for key, probability in now.items()
        if (earlier := before.get(key)) is not None and abs(probability - earlier) > book.jump_limit * earlier
    }
    return {key: jumped[key] for key in book.updated_keys() if key in jumped} or jumped


def _is_corroborated(book: MarketBook, fair: dict[str, float], other_sources: Callable[[], Iterable[OtherSource]]) -> bool:
    for market, profile in other_sources():
        definition = market.definition
        # A source that is not in play yet has not seen what made the other jump.
        if definition is None or definition.status != "open" or definition.in_play != book.definition.in_play:
            continue
        if definition.in_play and definition.counts_all_goals != book.definition.counts_all_goals:
            continue  # another bet
        priced = reference_prices(market, definition, profile, None, book.now_ms)
        theirs = {key: selection.fair for key, selection in priced.selections.items() if selection.fair is not None}
        if priced.refusal is None and theirs.keys() >= fair.keys() and not has_jumped(theirs, fair, book.jump_limit):
            return True
    return False
