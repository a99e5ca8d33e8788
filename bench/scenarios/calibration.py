"""The quality of each method's fair probabilities as forecasts: log loss and Brier score over recorded football seasons.

Each bookmaker's closing odds are devigged if they were recorded, otherwise its odds of the day before. Lower is better. The
fair probabilities are then quoted by the same method with the original margin, which must return the original odds: `round
trip` is the largest difference of inverse odds.
"""

from __future__ import annotations

import csv
import io
import lzma
from math import fsum, log
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rich.progress import track

from bench.reporting.row import Row
from oddsengine.pricing import METHODS, MarginError, fair_probabilities, quote_odds

if TYPE_CHECKING:
    from pathlib import Path

BOOKMAKERS = ("B365", "BW", "IW", "PS", "WH", "VC")
RESULTS = ("H", "D", "A")
#: Number of bins of the reliability plot.
_BINS = 12


class Match(NamedTuple):
    """One match at one bookmaker: odds of home, draw and away, and the index of the result."""

    odds: list[float]
    result: int


class Score(msgspec.Struct):
    """Scores of one method."""

    matches: int = 0
    rejected: int = 0
    log_loss: float = 0.0
    brier: float = 0.0
    round_trip: float = 0.0
    bins: list[list[float]] = []


def matches(folder: Path) -> list[Match]:
    """Read every match with a result, once for each bookmaker that quoted all three outcomes."""
    found: list[Match] = []
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.csv.xz")]):
        packed = path.read_bytes()
        text = (lzma.decompress(packed) if path.suffix == ".xz" else packed).decode("utf-8-sig", "replace")
        for row in csv.DictReader(io.StringIO(text)):
            if row.get("FTR") not in RESULTS:
                continue
            for bookmaker in BOOKMAKERS:
                for prefix in (f"{bookmaker}C", bookmaker):
                    try:
                        odds = [float(row[prefix + side]) for side in RESULTS]
                    except (KeyError, ValueError):
                        continue
                    if min(odds) > 1.0:
                        found.append(Match(odds, RESULTS.index(row["FTR"])))
                        break
    return found


def score(played: list[Match], method: str) -> Score:
    """Devig every match by a method and return the scores."""
    total = Score(bins=[[0.0, 0.0, 0.0] for _ in range(_BINS)])
    log_losses: list[float] = []
    briers: list[float] = []
    for match in played:
        try:
            fair = fair_probabilities(match.odds, method)
            again = quote_odds(fair, fsum(1 / price for price in match.odds), method)
        except MarginError:
            total.rejected += 1
            continue
        difference = max(abs(1 / given - 1 / returned) for given, returned in zip(match.odds, again, strict=True))
        total.round_trip = max(total.round_trip, difference)
        log_losses.append(-log(fair[match.result]))
        briers.append(fsum((probability - (place == match.result)) ** 2 for place, probability in enumerate(fair)))
        for place, probability in enumerate(fair):
            part = total.bins[min(int(probability * _BINS), _BINS - 1)]
            part[0] += 1
            part[1] += probability
            part[2] += place == match.result
    total.matches = len(log_losses)
    total.log_loss = fsum(log_losses) / total.matches
    total.brier = fsum(briers) / total.matches
    return total


def run(folder: Path, plot: Path | None) -> list[Row]:
    """Score every method on the seasons in a folder. Write the reliability plot if a file is given."""
    played = matches(folder)
    if not played:
        raise FileNotFoundError(
            f"no seasons with odds and results in {folder}: download some (CSV) from https://www.football-data.co.uk/data.php "
            "and name their folder"
        )
    scores = {method: score(played, method) for method in track(METHODS, description="calibrating")}
    rows: list[Row] = []
    for method, total in scores.items():
        scenario = f"calibration, {method}"
        rows += [
            Row(scenario=scenario, metric="matches", value=total.matches, unit="quotes"),
            Row(scenario=scenario, metric="rejected", value=total.rejected, unit="quotes"),
            Row(scenario=scenario, metric="log loss", value=total.log_loss, unit="nats"),
            Row(scenario=scenario, metric="Brier", value=total.brier, unit=""),
            Row(scenario=scenario, metric="round trip", value=total.round_trip, unit="inverse odds"),
        ]
    if plot is not None:
        _write_plot(scores, plot)
    return rows


def _write_plot(scores: dict[str, Score], path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - needed only for plots

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of backend

    figure, axes = plt.subplots(figsize=(8, 5))
    axes.axhline(0.0, color="grey", linewidth=1)
    for method, total in scores.items():
        bins = [part for part in total.bins if part[0] >= 100]
        axes.plot(
            [part[1] / part[0] for part in bins],
            [(part[2] - part[1]) / part[0] for part in bins],
            marker="o",
            markersize=3,
            label=f"{method} (log loss {total.log_loss:.5f})",
        )
    axes.set_xlabel("fair probability")
    axes.set_ylabel("observed frequency minus fair probability")
    axes.set_title("Calibration by method, nine seasons of match odds")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
