"""Speed of removing and applying margin, compared with the packages `shin` (Rust core) and `penaltyblog` in the same run.

Rows are speeds (markets per second): a ratio over 1 means faster than the reference. The best of several interleaved rounds
counts.

The guard across an event's markets is measured on an event of 17 markets: what it adds to an update while the
last certificate holds, and what a new certificate costs, by mending the last one and by a linear program.
"""

from __future__ import annotations

import time
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

import shin
from penaltyblog.implied import calculate_implied

from bench.reporting.row import Row, compared
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import MarketDefinition, SelectionDefinition
from oddsengine.domain.ids import EventId, MarketId, SelectionKey
from oddsengine.pricing import METHODS, fair_probabilities, quote_odds
from oddsengine.pricing.guards.score_grid import ScoreGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MARKETS = {
    2: [1.72, 2.14],
    3: [2.1, 3.4, 3.9],
    10: [3.2, 4.5, 6.0, 9.0, 11.0, 15.0, 19.0, 26.0, 34.0, 51.0],
    40: [*([36.9] * 20), *([36.0] * 20)],
}
#: an event's markets: type, line, and odds by selection as a bookmaker with some 5 % has them
SCORE_MARKETS: list[tuple[str, float | None, dict[str, float]]] = [
    ("match_odds", None, {"home": 2.04, "draw": 3.6, "away": 3.6}),
    ("double_chance", None, {"home_draw": 1.3, "home_away": 1.3, "draw_away": 1.8}),
    ("both_to_score", None, {"yes": 1.74, "no": 1.98}),
    *(
        ("total", line, {"over": over, "under": under})
        for line, over, under in (
            (0.5, 1.04, 11.0), (1.5, 1.25, 3.4), (2.0, 1.4, 2.6), (2.25, 1.62, 2.1),
            (2.5, 1.83, 1.92), (3.5, 3.1, 1.3), (4.5, 5.6, 1.1)
        )
    ),
    *(
        ("asian_handicap", line, {"home": home, "away": away})
        for line, home, away in (
            (-1.5, 3.6, 1.24), (-1.0, 2.9, 1.34), (-0.75, 2.3, 1.55),
            (-0.5, 2.04, 1.8), (-0.25, 1.74, 2.05), (0.0, 1.4, 2.55), (0.5, 1.3, 3.4)
        )
    ),
]  # fmt: skip
_ROUNDS = 7
_SECONDS_PER_ROUND = 0.02


def _calls_per_s(call: Callable[[], object]) -> float:
    """Return calls per second over one short round."""
    calls = 0
    start = time.perf_counter()
    while (seconds := time.perf_counter() - start) < _SECONDS_PER_ROUND:
        for _ in range(10):
            call()
        calls += 10
    return calls / seconds


def _measures(odds: list[float]) -> dict[str, Callable[[], object]]:
    fair = fair_probabilities(odds, "power")
    measures: dict[str, Callable[[], object]] = {"shin (Rust)": partial(shin.calculate_implied_probabilities, odds)}
    for method in ("shin", "power", "odds_ratio"):
        measures[f"penaltyblog {method}"] = partial(calculate_implied, odds, method=method)
    for method in METHODS:
        measures[f"fair {method}"] = partial(fair_probabilities, odds, method)
        measures[f"quote {method}"] = partial(quote_odds, fair, 1.05, method)
    return measures


def _goal(outcomes: int, metric: str, reference: str) -> float | None:
    if reference.startswith("penaltyblog"):
        return 25.0 if outcomes < max(MARKETS) else None
    return {2: 1.0, 3: 1.0}.get(outcomes, 0.9) if metric == "fair shin" else None


class _Board:
    """A market with given prices."""

    def __init__(self, kind: str, line: float | None, odds: dict[str, float]) -> None:
        self.definition = MarketDefinition(
            id=MarketId(f"bench.1/{kind}/{line}"),
            event=EventId("bench.1"),
            type=kind,  # type: ignore[arg-type]
            line=line,
            status="open",
            selections=tuple(SelectionDefinition(key, SelectionKey(key), key, "active") for key in odds),
        )
        self.is_open = False
        self._odds = odds
        self._prices: dict[str, tuple[int | None, ...]] = {key: (int(each * 1000),) for key, each in odds.items()}

    def prices(self, key: str) -> tuple[int | None, ...]:
        return self._prices[key]

    def move(self, share: float) -> None:
        """Lengthen the first selection's odds by a share of what they win, and shorten the others'."""
        signs = [1.0, *[-1.0] * (len(self._odds) - 1)]
        self._prices = {
            key: (int((1 + (odds - 1) * (1 + share * sign)) * 1000),)
            for sign, (key, odds) in zip(signs, self._odds.items(), strict=True)
        }


_EVENT = Event(id=EventId("bench.1"), sport="football", competition=Competition("bench", "Bench"), name="Bench")


def _solved(boards: Iterable[_Board]) -> ScoreGuard:
    guard = ScoreGuard()
    for board in boards:
        guard.review(board, _EVENT, ())
    guard.check(0)
    return guard


def _across_markets() -> list[Row]:
    """Measure the guard across an event's markets: what it adds to an update, and what a program costs."""
    boards = [_Board(*market) for market in SCORE_MARKETS]
    guard = _solved(boards)
    if guard.refused or guard.solves != 1:
        raise RuntimeError("the event of this benchmark can be beaten; its odds have a mistake")
    for board in boards:
        board.is_open = True
    update = partial(guard.review, boards[0], _EVENT, ("home", "draw", "away"))
    solve = partial(_solved, boards)
    shares = cycle((0.08, -0.08))

    def repair() -> None:
        boards[0].move(next(shares))
        guard.review(boards[0], _EVENT, ("home", "draw", "away"))
        guard.check(0)

    measures: dict[str, Callable[[], object]] = {
        "update under a certificate": update,
        "repaired certificate": repair,
        "new certificate": solve,
    }
    # As costs, because they are added to an update: less is better.
    rows = [
        Row(
            scenario="pricing, across markets",
            metric=metric,
            value=1e6 / max(_calls_per_s(call) for _ in range(_ROUNDS)),
            unit="us",
        )
        for metric, call in measures.items()
    ]
    if guard.refused or guard.solves != 1:
        raise RuntimeError("the moves of this benchmark take a program; they should not")
    return rows


def run() -> list[Row]:
    """Measure every method and the guard across markets. Return one row per method and reference."""
    rows = _across_markets()
    for outcomes, odds in MARKETS.items():
        measures = _measures(odds)
        best = dict.fromkeys(measures, 0.0)
        for _ in range(_ROUNDS):
            for name, measure in measures.items():
                best[name] = max(best[name], _calls_per_s(measure))
        scenario = f"pricing, {outcomes} outcomes"
        references: dict[str, list[str | None]] = {"fair shin": ["shin (Rust)", "penaltyblog shin"]}
        references |= {f"fair {method}": [f"penaltyblog {method}"] for method in ("power", "odds_ratio")}
        for name, value in best.items():
            for reference in references.get(name, [None]):
                row = Row(scenario=scenario, metric=name, value=value, unit="markets/s", reference=reference)
                if reference is not None:
                    row.goal = _goal(outcomes, name, reference)
                    compared(row, best[reference])
                rows.append(row)
    return rows
