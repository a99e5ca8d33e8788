"""A price profile: the named settings (of a brand, a tenant, a tier) by which markets are priced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from oddsengine.commands.ruling import Adjustment
from oddsengine.domain.ladders import LADDERS, Ladder
from oddsengine.pricing.methods.fair import ExchangeLimits
from oddsengine.pricing.methods.implied import FairPriceInputs
from oddsengine.pricing.methods.margin import SEVERAL_WINNERS, Devig, Method, devig_method
from oddsengine.pricing.profiles.parameters import (
    BetDelay,
    BookSum,
    JumpLimit,
    Limit,
    MaxAge,
    MaxMove,
    MaxOdds,
    MaxSourceOverround,
    MinMargin,
    MinMove,
    MinOdds,
    MinSourceOverround,
    PoolLimit,
    Rounding,
    Shift,
    Skew,
    SourceOverround,
    Tolerance,
)
from oddsengine.pricing.profiles.rules import EXCHANGE_SETTINGS, PROFILE_SETTINGS, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from oddsengine.domain.taxonomy import MarketType
    from oddsengine.pricing.profiles.rules import MarketContext


#: The market types of which several selections win.
_SEVERAL_WIN: Final[tuple[MarketType, ...]] = (
    "place",
    "double_chance",
    "top_finish",
    "podium",
    "points_finish",
    "to_reach_quarter_finals",
    "to_reach_semi_finals",
    "to_reach_final",
    "relegation",
)


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one profile, in groups. docs/configuration.md describes each; `rules` refine them for some markets."""

    # Fair probabilities: `devig` removes a bookmaker's margin from its prices (`auto`: by `shin`, or by `multiplicative` where
    # several selections win). Where some of its prices are missing, `source_overround` is taken as its book sum per winner (0:
    # such a market has no fair price). A complete book must sum to between `min_source_overround` and `max_source_overround`
    # per winner, the latter for two and three outcomes and more for more; `source_overround` narrows that.
    devig: Devig = "auto"
    source_overround: SourceOverround = 0.0
    min_source_overround: MinSourceOverround = 0.98
    max_source_overround: MaxSourceOverround = 1.35
    #: which order books are used
    exchange: ExchangeLimits = ExchangeLimits()
    #: by how much lines of an event that contradict each other are moved (probability); one that would have to move further is
    #: suspended
    pool_limit: PoolLimit = 0.02

    # Margin: `book_sum` is the target sum of inverse odds per winner (1.05 is a margin of 5 %), `method` spreads it over the
    # selections. Before that, `skew` is an exponent on the fair probabilities (over 1 shortens favourites and lengthens
    # longshots) and `shift` raises those of single selections by a share (`{home = 0.02}`); neither changes the book sum.
    book_sum: BookSum = 1.05
    method: Method = "multiplicative"
    skew: Skew = 1.0
    shift: dict[str, Shift] = {}

    # Prices: rounded onto `ladder`, `down`, or `balanced` to come closer to the target book sum, with `balanced_over_fair` even
    # at odds over fair. The book sum per winner stays within `tolerance` of the target (0: no limit) and never falls under 1 +
    # `min_margin`. A selection quoted under `min_odds` has no price; one quoted over `max_odds` has those. A price that would
    # move by at most the share `min_move` stays; one that would move by more than the share `max_move` gets there in steps (0:
    # at once).
    ladder: str = "betfair"
    rounding: Rounding = "down"
    tolerance: Tolerance = 0.0
    min_margin: MinMargin = 0.0
    min_odds: MinOdds = 1.01
    max_odds: MaxOdds = 1000.0
    min_move: MinMove = 0.0
    max_move: MaxMove = 0.0

    # Suspension: a market whose source has been silent for `max_age_s` seconds (0: no limit); one where a fair probability
    # changes by more than the share `jump_limit` of itself at once, until another update or source confirms it (0: no limit);
    # with `require_complete_book` one in which a selection has no fair price; with `bound_by_exchanges` one with a price over the
    # best lay of another live source; with `suspend` all.
    max_age_s: MaxAge = 0.0
    jump_limit: JumpLimit = 0.0
    require_complete_book: bool = False
    bound_by_exchanges: bool = False
    suspend: bool = False

    # Handed on in the market: the greatest stake, an opaque number, and for how many seconds a bet is delayed; None: what the
    # source says.
    limit: Limit | None = None
    bet_delay_s: BetDelay | None = None

    rules: tuple[Rule, ...] = ()

    #: ladders the operator has configured, in addition to `LADDERS`
    _own_ladders: dict[str, Ladder] = {}
    #: what a person has commanded of one market
    _commanded: Adjustment = Adjustment()

    def __post_init__(self) -> None:
        ladders = {*LADDERS, *self._own_ladders}
        for ladder in (self.ladder, *self._values_in_rules("ladder")):
            if ladder not in ladders:
                raise ValueError(f"no ladder {ladder!r}; the ladders are {', '.join(sorted(ladders))}")
        # Any rules may apply to one market together, so no combination of them may contradict itself.
        min_odds = max([self.min_odds, *self._values_in_rules("min_odds")])
        max_odds = min([self.max_odds, *self._values_in_rules("max_odds")])
        if min_odds >= max_odds:
            raise ValueError(f"min_odds {min_odds:g} is not under max_odds {max_odds:g}")
        if any(0.0 < overround < 1.0 for overround in (self.source_overround, *self._values_in_rules("source_overround"))):
            raise ValueError("source_overround is 1 or more, or 0 where it is not known")
        smallest = max([self.min_source_overround, *self._values_in_rules("min_source_overround")])
        largest = min([self.max_source_overround, *self._values_in_rules("max_source_overround")])
        if smallest >= largest:
            raise ValueError(f"min_source_overround {smallest:g} is not under max_source_overround {largest:g}")
        self._check_several_winners()
        book_sum = min([self.book_sum, *self._values_in_rules("book_sum")])
        floor = 1.0 + max([self.min_margin, *self._values_in_rules("min_margin")])
        if book_sum < floor:
            raise ValueError(f"book_sum {book_sum:g} is under the floor of 1 + min_margin, {floor:g}")

    def _check_several_winners(self) -> None:
        """Check the methods of places, of which several win."""
        for rule in self.rules:
            kind = next((each for each in _SEVERAL_WIN if rule.names_type(each)), None)
            if kind is None:
                continue
            methods = {
                "method": rule.method or self.method,
                "normalise": rule.normalise or self.exchange.normalise,
                "devig": devig_method(rule.devig or self.devig, 2),
            }
            for name, method in methods.items():
                if method not in SEVERAL_WINNERS:
                    place = f"the rule of {rule.place}" if rule.place else "a rule"
                    allowed = ", ".join(sorted(SEVERAL_WINNERS))
                    raise ValueError(
                        f"{name} {method!r} holds for one winner only, and {place} is for {kind!r}, of which several win; "
                        f"set {name} there to one of {allowed}"
                    )

    def _values_in_rules(self, name: str) -> Iterator[Any]:
        return (value for rule in self.rules if (value := getattr(rule, name)) is not None)

    @property
    def fair_price_inputs(self) -> FairPriceInputs:
        """The settings that fair probabilities depend on."""
        return FairPriceInputs(
            self.exchange, self.devig, self.source_overround, self.min_source_overround, self.max_source_overround
        )

    @property
    def fixed_prices(self) -> Mapping[str, int]:
        """The prices that a person has set, in thousandths, by selection."""
        return self._commanded.prices

    @property
    def forced_prices(self) -> AbstractSet[str]:
        """The selections whose fixed prices may break the other settings."""
        return self._commanded.forced

    @property
    def is_skewed(self) -> bool:
        """Whether fair probabilities are skewed or shifted."""
        return self.skew != 1.0 or bool(self.shift)

    @property
    def ladder_ticks(self) -> Ladder:
        """The ladder that `ladder` names."""
        return self._own_ladders.get(self.ladder) or LADDERS[self.ladder]

    @property
    def rounds_independently(self) -> bool:
        """Whether each price follows from its own quote alone."""
        return self.rounding == "down" and not (self.tolerance or self.min_move or self.max_move)

    @property
    def prices_independently(self) -> bool:
        """Whether each price follows from the selection's own fair odds alone.

        Among profiles that all do, the best prices of several can't sum to less than those of one.
        """
        return self.method == "multiplicative" and self.rounds_independently and not self.is_skewed and not self._commanded.prices


class ResolvedProfile(NamedTuple):
    """The settings that apply to one market, and where the rules that made them are written, in order."""

    settings: Profile
    places: tuple[str, ...]


def resolve(profile: Profile, context: MarketContext) -> ResolvedProfile:
    """Apply the rules of a profile that match, in their order."""
    places: list[str] = []
    for rule in profile.rules:
        if rule.matches(context):
            profile = refined(profile, rule)
            places.append(rule.place)
    return ResolvedProfile(profile, tuple(places))


def refined(profile: Profile, rule: Rule) -> Profile:
    """Return a profile with the settings of a rule in place of its own."""
    changes = {name: value for name in PROFILE_SETTINGS if (value := getattr(rule, name)) is not None}
    limits = {name: value for name in EXCHANGE_SETTINGS if (value := getattr(rule, name)) is not None}
    if limits:
        changes["exchange"] = msgspec.structs.replace(profile.exchange, **limits)
    return msgspec.structs.replace(profile, **changes)


def adjusted(resolved: ResolvedProfile, adjustment: Adjustment) -> ResolvedProfile:
    """Return what applies to a market with what a person has commanded of it; no book sum is under the floor."""
    profile, places = resolved
    if not adjustment.commands:
        return resolved
    book_sum = profile.book_sum
    if adjustment.book_sum is not None:
        book_sum = max(adjustment.book_sum, 1.0 + profile.min_margin)
    profile = msgspec.structs.replace(
        profile, book_sum=book_sum, shift={**profile.shift, **adjustment.shift}, rules=(), _commanded=adjustment
    )
    return ResolvedProfile(profile, (*places, *(f"command {key}" for key in adjustment.commands)))
