"""The combined effect of all commands on one market: the order of commands that contradict each other is here.

A suspension holds whatever else is commanded. Of the commands that set the same value, the newest holds; of those made in the
same millisecond, the narrowest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeGuard, get_args

import msgspec

from oddsengine.commands.command import EVERY_PROFILE, TRADER, Command
from oddsengine.domain.changes import MarketState, MarketTerms
from oddsengine.domain.odds import to_milli
from oddsengine.domain.results import Outcome, result_of_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from oddsengine.commands.command import Values
    from oddsengine.domain.offered_market import OfferedMarket, PriceChange

#: The name of all selections in a command that gives each the same result.
EVERY_SELECTION: Final = "*"
_RESULTED: Final = frozenset({"winner", "loser", "void", "placed"})


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """The commanded changes to the pricing of a market in one profile.

    Attributes:
        book_sum: instead of the profile's.
        shift: by selection, instead of the profile's.
        prices: by selection, in thousandths.
        forced: the prices that may break the rules of the profile.
        commands: the ids of the commands that say so.
    """

    book_sum: float | None = None
    shift: dict[str, float] = {}
    prices: dict[str, int] = {}
    forced: frozenset[str] = frozenset()
    commands: tuple[str, ...] = ()


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """The combined commands for one market; tuples have an entry for each profile.

    Attributes:
        suspended: whether it takes no bets in any profile.
        terms: whether it takes bets in each profile, its limit and its bet delay; empty where none is commanded.
        adjustments: how each profile prices it; empty where nothing of that is commanded.
        selections: for each profile, the selections that take no bets; empty where no selection is suspended.
        results: by selection, or `EVERY_SELECTION`; None: those of its sources.
        takes_back: whether the results of its sources do not hold.
    """

    suspended: bool = False
    terms: tuple[MarketTerms, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    selections: tuple[frozenset[str], ...] = ()
    results: dict[str, Outcome] | None = None
    takes_back: bool = False

    @property
    def decides(self) -> bool:
        """Whether the market has no prices, whatever its sources say."""
        return self.suspended or self.results is not None

    @staticmethod
    def _resulted(market: OfferedMarket, results: Mapping[str, Outcome]) -> OfferedMarket:
        selections = dict(market.selections)
        for key, each in selections.items():
            if each.status != "removed":
                # A result names its winners: what it does not name has lost.
                outcome = results.get(key) or results.get(EVERY_SELECTION, "loser")
                selections[key] = each._replace(status=outcome, result=result_of_status(outcome))
        state = MarketState("closed", None, market.state.in_play, market.state.terms)
        return msgspec.structs.replace(market, state=state, selections=selections)

    def applied(self, market: OfferedMarket) -> OfferedMarket:
        """Return a market with its terms and results, and without the prices of what takes no bets.

        Args:
            market: the market as its sources have it; suspended for the reason `trader`, or closed, if the ruling `decides`.
        """
        if self.results is not None:
            market = self._resulted(market, self.results)
        elif self.takes_back and market.state.status == "closed":
            market = _without_results(market)
        state = market.state
        if self.terms:
            state = msgspec.structs.replace(state, terms=_over(state.terms, self.terms))
        selections = market.selections
        if self.has_gaps:
            selections = {}
            for key, each in market.selections.items():
                prices = self.prices(key, each.prices)
                is_gone = each.status == "active" and bool(self.selections) and all(key in keys for keys in self.selections)
                selections[key] = each._replace(prices=prices, status="suspended" if is_gone else each.status)
        return msgspec.structs.replace(market, state=state, selections=selections)

    def prices_of(self, changes: Sequence[PriceChange]) -> Sequence[PriceChange]:
        """Return new prices of some selections, without those of what takes no bets."""
        return [(key, self.prices(key, prices), fair) for key, prices, fair in changes] if self.has_gaps else changes

    @property
    def has_gaps(self) -> bool:
        """Whether some profile has no price of something."""
        return bool(self.selections) or any(each.suspended for each in self.terms)

    def prices(self, key: str, prices: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return a selection's prices without those of profiles in which it takes no bets."""
        return tuple(
            [
                None
                if (self.terms and self.terms[index].suspended) or (self.selections and key in self.selections[index])
                else price
                for index, price in enumerate(prices)
            ]
        )


def _over(terms: tuple[MarketTerms, ...], commanded: tuple[MarketTerms, ...]) -> tuple[MarketTerms, ...]:
    """Return the terms of a market with what is commanded of them."""
    return tuple(
        [
            MarketTerms(
                own.suspended,
                base.limit if own.limit is None else own.limit,
                base.bet_delay_s if own.bet_delay_s is None else own.bet_delay_s,
            )
            for base, own in zip(terms or (MarketTerms(),) * len(commanded), commanded, strict=True)
        ]
    )


def _without_results(market: OfferedMarket) -> OfferedMarket:
    selections = {
        key: each._replace(status="suspended" if each.status in _RESULTED else each.status, result=None)
        for key, each in market.selections.items()
    }
    state = MarketState("suspended", TRADER, market.state.in_play, market.state.terms)
    return msgspec.structs.replace(market, state=state, selections=selections)


class _Profile:
    """The commands for one profile, while commands are folded."""

    def __init__(self) -> None:
        self.suspended = False
        self.selections: set[str] = set()
        self.limit: float | None = None
        self.bet_delay_s: float | None = None
        self.book_sum: float | None = None
        self.shift: dict[str, float] = {}
        self.prices: dict[str, int] = {}
        self.forced: set[str] = set()
        #: what is set -> the command that sets it
        self.by: dict[str, str] = {}

    def obey(self, command: Command) -> None:
        """Take a command over. One that comes later holds instead of those before."""
        key, values = command.scope.selection_key, command.values
        if command.action == "suspend":
            if key is None:
                self.suspended = True
            else:
                self.selections.add(key)
        elif command.action == "limit":
            self.limit = _number(values)
        elif command.action == "bet_delay_s":
            self.bet_delay_s = _number(values)
        elif command.action == "book_sum":
            self.book_sum = _number(values)
            self.by["book_sum"] = command.id
        elif command.action == "shift":
            for selection, share in _by_selection(values, key):
                self.shift[selection] = share
                self.by[f"shift {selection}"] = command.id
        elif command.action == "price":
            for selection, odds in _by_selection(values, key):
                self.prices[selection] = to_milli(odds)
                (self.forced.add if command.force else self.forced.discard)(selection)
                self.by[f"price {selection}"] = command.id

    def terms(self, *, is_partial: bool) -> MarketTerms:
        """Return the terms to publish, given whether some other profile takes bets."""
        return MarketTerms(self.suspended and is_partial, self.limit, self.bet_delay_s)

    def adjustment(self) -> Adjustment:
        """Return the adjustment of pricing."""
        return Adjustment(
            book_sum=self.book_sum,
            shift=self.shift,
            prices=self.prices,
            forced=frozenset(self.forced),
            commands=tuple(dict.fromkeys(self.by.values())),
        )


class Match(NamedTuple):
    """A command that holds for a market, with the indices of the profiles that it holds in."""

    command: Command
    profiles: tuple[int, ...]


def matched(command: Command, profiles: Sequence[str]) -> Match:
    """Return a command with the profiles it holds in; a profile that is not published is none."""
    names = command.scope.profiles
    return Match(command, tuple(index for index, name in enumerate(profiles) if names == EVERY_PROFILE or name in names))


def fold(commands: Iterable[Match], profiles: int) -> Ruling | None:
    """Return what commands together say of a market that all of them hold for; None if that is nothing.

    Args:
        commands: the commands, in any order.
        profiles: how many profiles are published.
    """
    by_profile = [_Profile() for _ in range(profiles)]
    results: dict[str, Outcome] | None = None
    takes_back = False
    for command, indices in sorted(commands, key=lambda match: match.command.rank):
        if command.action == "result":
            results = _results(command.values)
            takes_back = False
        elif command.action == "unresult":
            results, takes_back = None, True
        for index in indices:
            by_profile[index].obey(command)
    suspended = bool(by_profile) and all(each.suspended for each in by_profile)
    # A market that is suspended in every profile says so itself.
    terms = tuple(each.terms(is_partial=not suspended) for each in by_profile)
    adjustments = tuple(each.adjustment() for each in by_profile)
    ruling = Ruling(
        suspended=suspended,
        terms=terms if any(each != MarketTerms() for each in terms) else (),
        adjustments=adjustments if any(each != Adjustment() for each in adjustments) else (),
        selections=tuple(frozenset(each.selections) for each in by_profile)
        if any(each.selections for each in by_profile)
        else (),
        results=results,
        takes_back=takes_back,
    )
    return None if ruling == Ruling() else ruling


def _number(values: Values) -> float | None:
    return float(values) if isinstance(values, int | float) else None


def _by_selection(values: Values, key: str | None) -> list[tuple[str, float]]:
    if isinstance(values, dict):
        return [(selection, float(value)) for selection, value in values.items()]
    return [(key, float(values))] if key is not None and isinstance(values, int | float) else []


def _results(values: Values) -> dict[str, Outcome]:
    if not isinstance(values, dict):
        return {EVERY_SELECTION: "void"}
    return {selection: outcome for selection, outcome in values.items() if _is_outcome(outcome)}


def _is_outcome(value: float | str) -> TypeGuard[Outcome]:
    return value in get_args(Outcome)
