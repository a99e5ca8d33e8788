"""The markets of the stories, and prices for them from given probabilities, sound or spoilt in a way that happens."""

from __future__ import annotations

from itertools import count
from math import exp, factorial
from typing import TYPE_CHECKING, NamedTuple

from tests.oracles.score_bets import GOALS, KINDS, SCORES, Kind, fair_odds

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


class MarketKind(NamedTuple):
    """A market of a story; `selections` are (key, line, handicap), and those of a line sum to its winners."""

    id: str
    event: str
    sport: str
    type: str
    winners: int
    selections: tuple[tuple[str, str, float], ...]
    line: float | None = None

    @property
    def keys(self) -> list[str]:
        """The keys of its selections."""
        return [key for key, _, _ in self.selections]


def _plain(*keys: str) -> tuple[tuple[str, str, float], ...]:
    return tuple((key, "", 0.0) for key in keys)


def _total(line: float) -> MarketKind:
    return MarketKind(f"e1/total/ft/{line:g}", "e1", "football", "total", 1, _plain("over", "under"), line)


MATCH = MarketKind("e1/match_odds", "e1", "football", "match_odds", 1, _plain("home", "draw", "away"))
TOTALS = (_total(2.5), _total(3.5))
HANDICAP = MarketKind(
    "e1/asian_handicap/ft",
    "e1",
    "football",
    "asian_handicap",
    1,
    (("1@-0.5", "-0.5", -0.5), ("2@0.5", "-0.5", 0.5), ("1@0.5", "0.5", 0.5), ("2@-0.5", "0.5", -0.5)),
)
WINNER = MarketKind("e2/winner", "e2", "horse_racing", "winner", 1, _plain("r1", "r2", "r3", "r4"))
PLACE = MarketKind("e2/place", "e2", "horse_racing", "place", 2, _plain("r1", "r2", "r3", "r4", "r5"))
#: Markets on one score, with the oracle's own view of when they win.
SCORED: dict[str, Kind] = {
    f"e4/{kind.name}": kind
    for kind in KINDS
    if kind.name in {"match_odds", "both_to_score", "draw_no_bet", "total/ft/2.5", "handicap/ft/-1"}
}
_ON_SCORE = tuple(MarketKind(key, "e4", "football", kind.type, 1, _plain(*kind.keys), kind.line) for key, kind in SCORED.items())
TENNIS = MarketKind("e3/moneyline", "e3", "tennis", "moneyline", 1, _plain("home", "away"))

#: What the sources of one story offer.
CARDS: tuple[tuple[MarketKind, ...], ...] = (
    (MATCH,),
    (TENNIS,),
    (MATCH, TENNIS),
    TOTALS,
    (HANDICAP,),
    (WINNER,),
    (PLACE, TENNIS),
    _ON_SCORE,
)

#: How offers may be wrong or thin. Most are sound.
SPOILT = (
    *("no back", "no lay", "no rows", "tiny lay", "tiny back", "tiny front", "wide", "crossed", "off", "far off"),
    *("missing", "cheap", "dear"),
)


def probabilities(kind: MarketKind, weights: Sequence[int], among: Container[str] | None = None) -> dict[str, float]:
    """Return probabilities by selection in proportion to weights, summing to the winners of each line.

    Args:
        kind: the market.
        weights: at least one for each of its selections.
        among: the selections that can win; None for all.
    """
    if kind.id in SCORED:
        return _by_score(SCORED[kind.id], (0.4 + weights[0] / 8, 0.4 + weights[1] / 8), among)
    lines: dict[str, list[int]] = {}
    for index, (key, line, _) in enumerate(kind.selections):
        if among is None or key in among:
            lines.setdefault(line, []).append(index)
    found: dict[str, float] = {}
    for indexes in lines.values():
        total = sum(weights[index] for index in indexes)
        share = {index: weights[index] / total for index in indexes}
        if kind.winners > 1:
            # Favourites are nearer to certain: one minus the chance of missing every place.
            share = {index: 1 - (1 - each) ** kind.winners for index, each in share.items()}
            total_share = sum(share.values())
            share = {index: min(0.97, each * kind.winners / total_share) for index, each in share.items()}
        found |= {kind.selections[index][0]: min(0.97, max(0.002, each)) for index, each in share.items()}
    return found


def _by_score(kind: Kind, goals: tuple[float, float], among: Container[str] | None) -> dict[str, float]:
    """Return probabilities by independent Poisson distributions of the goals of both sides, given their means."""
    home, away = ([exp(-mean) * mean**scored / factorial(scored) for scored in range(GOALS)] for mean in goals)
    odds = {
        key: fair_odds(kind, key, {(one, other): home[one] * away[other] for one, other in SCORES})
        for key in kind.keys
        if among is None or key in among
    }
    total = sum(1 / each for each in odds.values() if each is not None) or 1.0
    return {key: min(0.97, max(0.002, (1 / each if each is not None else 0.0) / total)) for key, each in odds.items()}


class Offers(NamedTuple):
    """The offers of a selection: rows as (odds, size), best first, or a quote; None where nothing is."""

    back: list[tuple[float, float]]
    lay: list[tuple[float, float]]
    quote: float | None


def exchange_offers(probability: float, spread: float, size: float, spoilt: str | None) -> Offers:
    """Return the rows of an exchange around a probability."""
    if spoilt in {"off", "far off"}:
        probability = min(0.97, probability * (1.12 if spoilt == "off" else 1.8))
    if spoilt == "wide":
        spread *= 20
    back, lay = _odds(1 / (probability * (1 + spread))), _odds(1 / (probability * (1 - min(spread, 0.9))) + 0.005)
    if spoilt == "crossed":
        back, lay = lay + 0.1, back
    backs = [(back, size), (_odds(back * 0.97), size * 2)]
    lays = [(lay, size), (lay * 1.03 + 0.01, size * 2)]
    if spoilt in {"no back", "no rows", "missing"}:
        backs = []
    if spoilt in {"no lay", "no rows", "missing"}:
        lays = []
    if spoilt == "tiny back" and backs:
        backs = [(back, 1.0)]
    if spoilt == "tiny lay" and lays:
        lays = [(lay, 1.0)]
    if spoilt == "tiny front":
        lays.insert(0, (max(1.01, round(lay * 0.99 - 0.01, 2)), 1.0))
    return Offers(backs, [(round(odds, 2), each) for odds, each in lays], None)


def quote(probability: float, margin: float, spoilt: str | None) -> Offers:
    """Return a bookmaker's quote of a probability."""
    if spoilt in {"missing", "no rows", "no back"}:
        return Offers([], [], None)
    factor = {"off": 1.12, "far off": 1.8, "cheap": 0.7, "dear": 1.5}.get(spoilt or "", 1.0)
    return Offers([], [], _odds(1 / min(0.985, probability * (1 + margin) * factor)))


def _odds(odds: float) -> float:
    return max(1.01, round(odds - 0.005, 2))


def rows_by_level(rows: Sequence[tuple[float, float]], before: int) -> list[tuple[int, float, float]]:
    """Return rows numbered from the best, with deletions of the levels that were there before."""
    numbered = [(level, odds, size) for level, (odds, size) in zip(count(), rows, strict=False)]
    return numbered + [(level, 0.0, 0.0) for level in range(len(rows), before)]
