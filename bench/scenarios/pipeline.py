"""Messages per second from recorded bytes to the source book, and on to encoded stream batches, on one core.

The reference is betfairlightweight's decoding and market cache (orjson installed) on the same messages in the same run: in its
default mode, which keeps market books as objects, and in its `lightweight` mode, which keeps plain dicts. The goals refer to the
default mode. The runs are interleaved and the best run of each side counts, so that noise affects all alike.

`full pipeline` flushes after every message, the most work that a message can cause; `full pipeline, 10 per flush` is the cost
when changes are coalesced while the previous batch is written. `bench.engines.breadth` adds many sources and many markets.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from betfairlightweight.streaming.listener import StreamListener

from bench.data.recordings import is_simulated
from bench.engines import breadth
from bench.reporting.row import Row, compared
from feeds.adapters.betfair.market_stream import MarketStream
from feeds.recording.reader import Recordings
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.source_book import SourceBook
from oddsengine.streams.publisher import prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ROUNDS = 5
_REFERENCE = "betfairlightweight"
_FULL_PIPELINE = "full pipeline"
#: Several profiles: how many, and how much of the speed of one they have to keep.
_SEVERAL = {"full pipeline, 3 profiles": (3, 0.92), "full pipeline, 10 profiles": (10, 0.75)}
_LIGHTWEIGHT = "betfairlightweight, lightweight"


class _Listener(StreamListener):  # type: ignore[misc]
    """betfairlightweight's listener for recordings, which have no subscription."""

    def _add_stream(self, unique_id: int, operation: str) -> Any:  # noqa: ARG002 - its signature
        from betfairlightweight.streaming.stream import MarketStream as ReferenceStream  # noqa: PLC0415

        return ReferenceStream(self, unique_id)


def _reference(lines: list[bytes], *, lightweight: bool) -> float:
    listener = _Listener(max_latency=None, lightweight=lightweight, update_clk=False)
    listener.register_stream(0, "marketSubscription")
    texts = [line.decode() for line in lines]
    start = time.perf_counter()
    for text in texts:
        listener.on_data(text)
    seconds = time.perf_counter() - start
    if not listener.stream.snap():
        raise RuntimeError("the reference has read nothing; its API has changed")
    return len(lines) / seconds


def _to_source_book(lines: list[bytes]) -> float:
    stream, book = MarketStream("betfair"), SourceBook("betfair")
    read, apply = stream.read_line, book.apply
    start = time.perf_counter()
    for line in lines:
        for event in read(line):
            if type(event) is UpdateBatch:
                published_ms = event.published_ms or 0
                for update in event.updates:
                    apply(update, published_ms)
    return len(lines) / (time.perf_counter() - start)


def _full_pipeline(lines: list[bytes], per_flush: int, profiles: int = 1) -> float:
    stream = MarketStream("betfair")
    pipeline = Pipeline(
        Pricer({f"profile{number}": Profile(book_sum=1.05 + number / 100) for number in range(profiles)}), ["betfair"]
    )
    pipeline.receive(UpdateBatch("betfair", 0, [SourceStatus("live", "bench")]), 0)
    offer = pipeline.offers[0]
    start = time.perf_counter()
    for number, line in enumerate(lines):
        for event in stream.read_line(line):
            if type(event) is UpdateBatch:
                pipeline.receive(event, 0)
        if number % per_flush == 0:
            pipeline.flush(0, 0)
            batch = offer.commit(0)
            if batch is not None:
                prepare(offer, batch)
    return len(lines) / (time.perf_counter() - start)


def run(recording: Path, rounds: int = _ROUNDS, markets: int = breadth.MANY) -> list[Row]:
    """Measure every variant. Return one row per variant and reference.

    Args:
        recording: of Betfair.
        rounds: how often each is measured; the best one counts.
        markets: see `breadth.run`.
    """
    logging.getLogger("betfairlightweight").setLevel(logging.ERROR)
    with Recordings([recording]) as recordings:
        lines = [line.data for line in recordings.lines()]
    measures: dict[str, Callable[[], float]] = {
        _REFERENCE: lambda: _reference(lines, lightweight=False),
        _LIGHTWEIGHT: lambda: _reference(lines, lightweight=True),
        "decode + source book": lambda: _to_source_book(lines),
        _FULL_PIPELINE: lambda: _full_pipeline(lines, 1),
        "full pipeline, 10 per flush": lambda: _full_pipeline(lines, 10),
        **{name: partial(_full_pipeline, lines, 1, profiles) for name, (profiles, _) in _SEVERAL.items()},
    }
    best = dict.fromkeys(measures, 0.0)
    for _ in range(rounds):
        for name, measure in measures.items():
            best[name] = max(best[name], measure())
    # Every message of the simulator moves the best prices of all runners, few of a real market do.
    goals = {} if is_simulated(recording) else {"decode + source book": 4.0, _FULL_PIPELINE: 8.0}
    rows: list[Row] = []
    for name, value in best.items():
        if name in {_REFERENCE, _LIGHTWEIGHT}:
            rows.append(Row(scenario="pipeline", metric=name, value=value, unit="messages/s"))
            continue
        if name in _SEVERAL:
            kept = _SEVERAL[name][1]
            row = Row(scenario="pipeline", metric=name, value=value, unit="messages/s", reference=_FULL_PIPELINE, goal=kept)
            rows.append(compared(row, best[_FULL_PIPELINE]))
        for reference, goal in ((_REFERENCE, goals.get(name)), (_LIGHTWEIGHT, None)):
            row = Row(scenario="pipeline", metric=name, value=value, unit="messages/s", reference=reference, goal=goal)
            rows.append(compared(row, best[reference]))
    return rows + breadth.run(rounds, markets)
