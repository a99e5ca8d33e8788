"""Speed of removing and applying margin, compared with the packages `shin` (Rust core) and `penaltyblog` in the same run.

Rows are speeds (markets per second): a ratio over 1 means faster than the reference. The best of several interleaved rounds
counts.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import shin
from penaltyblog.implied import calculate_implied

from bench.reporting.row import Row, compared
from oddsengine.pricing import METHODS, fair_probabilities, quote_odds

if TYPE_CHECKING:
    from collections.abc import Callable

MARKETS = {
    2: [1.72, 2.14],
    3: [2.1, 3.4, 3.9],
    10: [3.2, 4.5, 6.0, 9.0, 11.0, 15.0, 19.0, 26.0, 34.0, 51.0],
    40: [*([36.9] * 20), *([36.0] * 20)],
}
_ROUNDS = 7
_SECONDS_PER_ROUND = 0.02


def _speed(call: Callable[[], object]) -> float:
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
    return {2: 1.0, 3: 1 / 1.5}.get(outcomes) if metric == "fair shin" else None


def run() -> list[Row]:
    """Measure every method. Return one row per method and reference."""
    rows: list[Row] = []
    for outcomes, odds in MARKETS.items():
        measures = _measures(odds)
        best = dict.fromkeys(measures, 0.0)
        for _ in range(_ROUNDS):
            for name, measure in measures.items():
                best[name] = max(best[name], _speed(measure))
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
