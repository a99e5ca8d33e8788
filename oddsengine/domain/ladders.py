"""Price ladders: the odds that may be offered."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Final, cast

from oddsengine.domain.formats import TRADITIONAL_FRACTIONS, parse_odds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.odds import OddsMilli

#: Betfair's "CLASSIC" ladder as (from, step) in thousandths, each up to the next `from`; the last is the top of the ladder.
#: Source: Betfair Exchange API documentation, "Betfair Price Increments".
BETFAIR_INCREMENTS: Final[tuple[tuple[int, int], ...]] = (
    (1_010, 10),
    (2_000, 20),
    (3_000, 50),
    (4_000, 100),
    (6_000, 200),
    (10_000, 500),
    (20_000, 1_000),
    (30_000, 2_000),
    (50_000, 5_000),
    (100_000, 10_000),
    (1_000_000, 0),
)
#: Odds of 1, which return only the stake.
_STAKE_RETURN: Final = 1_000
_EXACT: Final = 1e-6
_MAX_TICKS: Final = 1_000_000


class Ladder:
    """A strictly ascending sequence of the odds that may be offered.

    Args:
        name: its name in the config.
        ticks: the odds, in thousandths, ascending.

    Raises:
        ValueError: if the ticks are not strictly ascending, or there are none.
    """

    __slots__ = ("name", "ticks")

    def __init__(self, name: str, ticks: Sequence[int]) -> None:
        is_ascending = ticks.step > 0 if isinstance(ticks, range) else all(low < high for low, high in pairwise(ticks))
        if not ticks or not is_ascending:
            raise ValueError(f"the ticks of ladder {name!r} must be strictly ascending")
        self.name = name
        # A range stays one: the million ticks of three decimals would take 36 MB, and every command a quarter of a second.
        self.ticks = cast("Sequence[OddsMilli]", ticks if isinstance(ticks, range) else tuple(ticks))

    def at_or_below(self, odds_milli: float) -> OddsMilli | None:
        """Return the highest tick not above these odds, None below the ladder."""
        position = bisect_right(self.ticks, odds_milli)
        return self.ticks[position - 1] if position else None

    def at_or_above(self, odds_milli: float) -> OddsMilli | None:
        """Return the lowest tick not below these odds, None above the ladder."""
        position = bisect_left(self.ticks, odds_milli)
        return self.ticks[position] if position < len(self.ticks) else None

    def below(self, odds_milli: float) -> OddsMilli | None:
        """Return the highest tick below these odds, None if there is none."""
        position = bisect_left(self.ticks, odds_milli)
        return self.ticks[position - 1] if position else None

    def neighbours(self, odds_milli: float) -> tuple[OddsMilli | None, OddsMilli | None]:
        """Return the highest tick not above these odds and the next tick, None beyond the ends of the ladder."""
        ticks = self.ticks
        position = bisect_right(ticks, odds_milli)
        return (ticks[position - 1] if position else None), (ticks[position] if position < len(ticks) else None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ladder) and (self.name, self.ticks) == (other.name, other.ticks)

    def __hash__(self) -> int:
        return hash(self.name)

    def __contains__(self, odds_milli: int) -> bool:
        return self.at_or_below(odds_milli) == odds_milli


def _ticks(increments: Sequence[tuple[int, int]]) -> list[int]:
    ticks: list[int] = []
    for (start, step), (end, _) in pairwise(increments):
        ticks.extend(range(start, end, step))
    ticks.append(increments[-1][0])
    return ticks


def ladder_from_increments(name: str, increments: Sequence[tuple[float, float]]) -> Ladder:
    """Return the ladder of decimal (from, step) pairs, each step up to the next `from`; the last pair is (top, 0).

    Raises:
        ValueError: if the pairs are not a ladder; the message says which and why.
    """
    exact = [(round(start * 1000), round(step * 1000)) for start, step in increments]
    for (start, step), (asked_start, asked_step) in zip(exact, increments, strict=True):
        if abs(start - asked_start * 1000) > _EXACT or abs(step - asked_step * 1000) > _EXACT:
            raise ValueError(f"odds have at most three decimals, not {asked_start:g}, {asked_step:g}")
    if len(exact) < 2 or exact[-1][1] != 0:  # noqa: PLR2004 - one range and the top
        raise ValueError("a ladder needs at least one (from, step) and ends with (top, 0)")
    for (start, step), (end, _) in pairwise(exact):
        if step <= 0 or end <= start or (end - start) % step:
            raise ValueError(f"steps of {step / 1000:g} do not lead from {start / 1000:g} to {end / 1000:g}")
    return _checked(Ladder(name, _ticks(exact)))


def ladder_from_ticks(name: str, odds: Sequence[float]) -> Ladder:
    """Return the ladder of these decimal odds, ascending.

    Raises:
        ValueError: if they are not ascending, or have more than three decimals.
    """
    ticks = [round(price * 1000) for price in odds]
    for tick, price in zip(ticks, odds, strict=True):
        if abs(tick - price * 1000) > _EXACT:
            raise ValueError(f"odds have at most three decimals, not {price:g}")
    return _checked(Ladder(name, ticks))


def _checked(ladder: Ladder) -> Ladder:
    if ladder.ticks[0] <= _STAKE_RETURN:
        raise ValueError(f"odds must be above 1, not {ladder.ticks[0] / 1000:g}")
    if len(ladder.ticks) > _MAX_TICKS:
        raise ValueError(f"a ladder has at most {_MAX_TICKS} ticks, not {len(ladder.ticks)}")
    return ladder


BETFAIR: Final = Ladder("betfair", _ticks(BETFAIR_INCREMENTS))

#: The fractions quoted by British bookmakers.
TRADITIONAL: Final = Ladder("traditional", [parse_odds(text, "fractional") for text in TRADITIONAL_FRACTIONS])

#: American odds as quoted by US bookmakers: (from, step) of the positive odds, of which the negative ones are the mirror image.
_AMERICAN_STEPS: Final = (
    *((100, 5), (200, 10), (300, 20), (500, 25), (700, 50), (1000, 100), (2000, 500), (5000, 1000), (10_000, 0)),
)
AMERICAN: Final = Ladder(
    "american",
    sorted({parse_odds(f"{sign}{value}", "american") for value in _ticks(_AMERICAN_STEPS) for sign in "+-"}),
)

DECIMAL_2: Final = Ladder("decimal_2", range(1_010, 1_000_001, 10))
DECIMAL_3: Final = Ladder("decimal_3", range(1_001, 1_000_001))

LADDERS: Final[dict[str, Ladder]] = {ladder.name: ladder for ladder in (BETFAIR, TRADITIONAL, AMERICAN, DECIMAL_2, DECIMAL_3)}
