"""Real recordings through the engine with default settings: what is open at a price that its own source does not allow.

A price state is a selection of an open market with its published price and the best offers of its source, counted whenever one of
these changes. What the source offers is read here from the recorded messages, not by the adapter, and judged by the oracle of the
tests. Two states must not be: a price over the source's own best lay, and one that leaves a profit whatever happens to a bettor
who backs it here, lays it there and pays commission. Refusing everything would achieve that too, so the share of two-sided books
that are priced is compared with the share that is sound by the oracle's arithmetic.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson

from bench.data.recordings import is_simulated, recorded_data, simulated
from bench.reporting.progress import track_progress
from bench.reporting.row import Row, compared
from feeds.adapters.betfair.market_stream import MarketStream
from feeds.recording.reader import Recordings
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from tests.oracles.arithmetic import Refused, intervals, is_trusted
from tests.oracles.rules import Settings
from tests.oracles.statements import Book, Market, Selection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from oddsengine.domain.changes import MarketRecord

NAMES: Final = (
    "PRO-1.170258213.xz",
    "SELF-1.181223994.xz",
    "SELF-1.181223995.xz",
    "1.200806927.xz",
    "1.197931750.xz",
    "1.197931751.xz",
    "BASIC-1.132153978.gz",
)
_SEEDS: Final = (1, 2, 3)
_COMMISSION: Final = 0.05
_MIN_ODDS: Final = 1.01
_SOURCE: Final = "betfair"
_STATES, _OVER_LAY, _RISK_FREE = "open price states", "over the source's best lay", "risk-free after commission"
_TWO_SIDED, _PRICED, _SOUND = "two-sided books", "priced", "sound"
#: The keys of rows in the recorded messages: by price, else by level.
_ROWS: Final = ((("atb", "batb", "bdatb"), "back"), (("atl", "batl", "bdatl"), "lay"))


class _Runner:
    """A runner's books as recorded; of several kinds the first that has rows counts, as in the full ladder before best offers."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[float, tuple[float, float]]] = {}

    def apply(self, change: dict[str, Any]) -> None:
        for kinds, _ in _ROWS:
            for kind in kinds:
                rows = self.rows.setdefault(kind, {})
                for row in change.get(kind) or ():
                    # The rows are of price and size, or of level, price and size.
                    if row[-1]:
                        rows[row[0]] = (row[-2], row[-1])
                    else:
                        rows.pop(row[0], None)

    def book(self) -> Book:
        sides = {side: next((rows for kind in kinds if (rows := self.rows.get(kind))), {}) for kinds, side in _ROWS}
        return Book(back=sides["back"], lay=sides["lay"])


class _Recorded:
    """The state of a recorded market, from its messages."""

    def __init__(self) -> None:
        self.definition: dict[str, Any] = {}
        self.runners: dict[str, _Runner] = {}

    def apply(self, change: dict[str, Any]) -> None:
        if change.get("img"):
            self.runners.clear()
        self.definition = change.get("marketDefinition") or self.definition
        for row in change.get("rc") or ():
            self.runners.setdefault(_reference(row), _Runner()).apply(row)

    def market(self) -> Market:
        """Return it as the oracle wants it."""
        selections = {
            reference: Selection(reference, "active" if row["status"] == "ACTIVE" else row["status"].lower())
            for row in self.definition["runners"]
            for reference in [_reference(row)]
        }
        books = {reference: runner.book() for reference, runner in self.runners.items()}
        winners = self.definition["numberOfWinners"]
        status = self.definition["status"].lower()
        return Market("", "", "winner", winners, is_quoted=False, selections=selections, books=books, status=status)


def _reference(row: dict[str, Any]) -> str:
    return f"{row['id']}@{row['hc']:g}" if row.get("hc") else str(row["id"])


class _Replay:
    """One recording through the engine, and the counts of its states."""

    def __init__(self) -> None:
        self.stream = MarketStream(_SOURCE)
        self.pipeline = Pipeline(Pricer({"default": Profile()}), [_SOURCE])
        self.pipeline.receive(UpdateBatch(_SOURCE, 0, [SourceStatus("live", "recorded")]), 0)
        self.recorded: dict[str, _Recorded] = {}
        self.counts: Counter[str] = Counter()
        self.settings = Settings()
        self._touched: set[str] = set()
        self._seen: dict[tuple[str, str], object] = {}

    def read(self, line: bytes, now_ms: int) -> None:
        """Apply a message to the engine and to the recorded books."""
        for event in self.stream.read_line(line):
            if isinstance(event, UpdateBatch):
                self.pipeline.receive(event, now_ms)
        for change in orjson.loads(line).get("mc") or ():
            self.recorded.setdefault(change["id"], _Recorded()).apply(change)
            self._touched.add(change["id"])

    def flush(self, now_ms: int) -> None:
        """Publish, and count the states that are new."""
        self.pipeline.tick(now_ms)
        self.pipeline.flush(0, now_ms)
        self.pipeline.offers[0].commit(now_ms)
        for source_id in self._touched:
            held = self.pipeline.books[_SOURCE].markets.get(source_id)
            if held is None or held.definition is None or not self.recorded[source_id].definition:
                continue
            record = self.pipeline.offers[0].markets.get(held.definition.id)
            if record is not None:
                keys = {selection.source_id: str(selection.key) for selection in held.definition.selections}
                self._count(source_id, self.recorded[source_id].market(), record, keys)
        self._touched.clear()

    def _count(self, source_id: str, market: Market, record: MarketRecord, keys: dict[str, str]) -> None:
        is_open, sound = record.state.status == "open", self._sound(market)
        for reference, selection in market.selections.items():
            book, published = market.books.get(reference), record.selections.get(keys.get(reference, ""))
            back, lay = (None, None) if book is None else (book.best_back(), book.best_lay())
            price = published.prices[0] if is_open and published is not None else None
            # Of a two-sided book the state of the market decides whether it could be priced.
            state = (price, back, lay, market.status, selection.status, reference in sound)
            if self._seen.get((source_id, reference)) == state:
                continue
            self._seen[source_id, reference] = state
            if price is not None:
                self.counts[_STATES] += 1
                if lay is not None:
                    odds = price / 1000
                    self.counts[_OVER_LAY] += odds > lay[0]
                    self.counts[_RISK_FREE] += (odds - 1) * (1 - _COMMISSION) > lay[0] - 1
            if market.status == "open" and selection.status == "active" and back is not None and lay is not None:
                self.counts[_TWO_SIDED] += 1
                self.counts[_PRICED] += price is not None
                self.counts[_SOUND] += reference in sound

    def _sound(self, market: Market) -> frozenset[str]:
        """Return the selections whose books are sound by themselves and with each other, and leave them odds to be offered at."""
        if market.status != "open":
            return frozenset()
        try:
            allowed = intervals(market, self.settings)
        except Refused:
            return frozenset()
        # Shorter ones have no price at default settings: with margin they are under the shortest odds on offer.
        shortest = _MIN_ODDS * self.settings.book_sum
        return frozenset(
            key
            for key, interval in allowed.items()
            if interval.high * shortest <= 1.0 and (book := market.books.get(key)) is not None and is_trusted(book, self.settings)
        )


def _replay(path: Path) -> Counter[str]:
    replay = _Replay()
    flushed_ms: int | None = None
    with Recordings([path]) as recordings:
        lines = list(recordings.lines())
    for line in track_progress(lines, path.name):
        if flushed_ms is not None and line.pt_ms != flushed_ms:
            replay.flush(flushed_ms)
        flushed_ms = line.pt_ms
        replay.read(line.data, line.pt_ms)
    replay.flush(flushed_ms or 0)
    return replay.counts


def _rows(scenario: str, counts: Counter[str], goal: float | None) -> list[Row]:
    states = max(counts[_TWO_SIDED], 1)
    rows = [Row(scenario=scenario, metric=_STATES, value=counts[_STATES], unit="states")]
    rows += [
        Row(scenario=scenario, metric=metric, value=counts[metric], unit="states", goal=0.0, met=counts[metric] == 0)
        for metric in (_OVER_LAY, _RISK_FREE)
    ]
    share = Row(
        scenario=scenario,
        metric="priced, of two-sided books",
        value=counts[_PRICED] / states,
        unit="share",
        reference="sound, of two-sided books",
        goal=goal,
    )
    return [*rows, compared(share, counts[_SOUND] / states)]


def recordings_in(folder: Path | None) -> list[Path]:
    """Return the recordings to replay.

    Args:
        folder: of the recorded data, with the recordings in its folder `betfair`. None: those of the usual folder if they are
            there, else three of the simulator.

    Raises:
        FileNotFoundError: if a recording of a folder that was named is not there.
    """
    paths = [(folder or recorded_data()) / "betfair" / name for name in NAMES]
    missing = [path.name for path in paths if not path.is_file()]
    if missing and folder is None:
        return [simulated(seed) for seed in _SEEDS]
    if missing:
        raise FileNotFoundError(f"{folder}/betfair has no {', '.join(missing)}; name the folder of the recorded data, or none")
    return paths


def run(paths: Sequence[Path]) -> list[Row]:
    """Replay recordings. Return the rows of each and of all together."""
    # The simulator's markets are of one match, so that the guard across them suspends some, which the oracle leaves out.
    goal = None if any(map(is_simulated, paths)) else 1.0
    rows: list[Row] = []
    total: Counter[str] = Counter()
    for path in paths:
        counts = _replay(path)
        rows += _rows(path.name.partition(".xz")[0].partition(".gz")[0].partition(".jsonl")[0], counts, goal)
        total += counts
    return [*rows, *_rows("all recordings", total, goal)]
