"""Real recordings, compared price by price: the number of changes, and betfairlightweight's book at many times."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from feeds.adapters.betfair.market_stream import MarketStream
from feeds.feed import Rejected
from feeds.recording.reader import RecordedLine, Recordings
from oddsengine.domain.feed_updates import UpdateBatch
from oddsengine.sourcing.source_book import SourceBook
from tests.recorded.oracle import Oracle
from tests.support.processes.inside import called
from tests.support.providers.simulated import record_simulator

if TYPE_CHECKING:
    from pathlib import Path

#: name -> (messages, changes of (best back, best lay, status, in-play) per runner); data/SOURCES.md
RECORDINGS = {
    "PRO-1.170258213.xz": (22_367, 7_058),
    "SELF-1.181223994.xz": (44_687, 12_782),
    "SELF-1.181223995.xz": (21_922, 11_386),
    "1.200806927.xz": (18_529, 2_883),
    "1.197931750.xz": (166, 341),
    "1.197931751.xz": (166, 278),
    "BASIC-1.132153978.gz": (480, 56),
}
SAMPLES = 25


def lines_of(path: Path) -> list[RecordedLine]:
    with Recordings([path]) as recordings:
        return list(recordings.lines())


@pytest.mark.recorded
@pytest.mark.parametrize("name", RECORDINGS)
def test_the_number_of_changes(data: Path, name: str) -> None:
    stream, book = MarketStream("betfair"), SourceBook("betfair")
    shown: dict[tuple[str, str], object] = {}
    changes = 0
    lines = lines_of(data / "betfair" / name)
    for line in lines:
        for event in stream.read_line(line.data):
            assert isinstance(event, UpdateBatch)
            for update in event.updates:
                book.apply(update, line.pt_ms)
        for market in book.markets.values():
            definition = market.definition
            assert definition is not None
            for ref in dict.fromkeys([*market.definitions, *market.books]):
                prices = market.books.get(ref)
                back, lay = prices.best() if prices else (None, None)
                now = (back and back[0], lay and lay[0], definition.status, definition.in_play)
                if shown.get((market.source_id, ref)) != now:
                    shown[market.source_id, ref] = now
                    changes += 1
    assert RECORDINGS[name] == (len(lines), changes)


def dumped(path: Path, times: list[int]) -> list[dict[str, Any]]:
    result = called("replay", path, "--dump-at", ",".join(map(str, times)))
    assert 0 == result.returncode, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def compare(path: Path) -> None:
    lines = lines_of(path)
    first, last = lines[0].pt_ms, lines[-1].pt_ms
    # Half at messages spread over the file, half at times spread over its duration, and both ends.
    times = {lines[place * (len(lines) - 1) // (SAMPLES // 2)].pt_ms for place in range(SAMPLES // 2 + 1)}
    times |= {first + (last - first) * place // (SAMPLES // 2) for place in range(SAMPLES // 2 + 1)}
    ours: dict[int, dict[str, Any]] = {}
    for shown in dumped(path, sorted(times)):
        ours.setdefault(shown["at"], {})[shown["market"]] = {key: shown[key] for key in ("status", "in_play", "runners")}
    oracle = Oracle()
    waiting = iter(lines)
    line: RecordedLine | None = next(waiting)
    for at in sorted(times):
        while line is not None and line.pt_ms <= at:
            oracle.apply(line.data)
            line = next(waiting, None)
        assert oracle.dump() == ours.get(at, {}), at


@pytest.mark.recorded
@pytest.mark.parametrize("name", RECORDINGS)
def test_the_book_equals_betfairlightweights_level_by_level(data: Path, name: str) -> None:
    compare(data / "betfair" / name)


@pytest.mark.parametrize("by_level", [True, False])
def test_a_recording_of_the_simulator_equals_betfairlightweight(tmp_path: Path, by_level: bool) -> None:
    """Handicap runners, settlements and several markets; needs no downloaded recordings."""
    compare(record_simulator(tmp_path / "simulated.jsonl", ticks=120, matches=3, by_level=by_level))


@pytest.mark.recorded
def test_every_real_message_is_parsed_or_rejected_with_a_reason(data: Path) -> None:
    """Images, resubscriptions, heartbeats, errors and other streams raise nothing."""
    found = 0
    for path in sorted((data / "betfair" / "messages").iterdir()):
        if path.name.endswith("-processed.json") or "processed" in path.name:
            continue
        whole = b" ".join(line.data for line in lines_of(path)) if path.suffix in {".json", ".xz"} else None
        messages = [whole] if whole is not None else [line.data for line in lines_of(path)]
        for message in messages:
            for event in MarketStream("betfair").read_line(message):
                assert not isinstance(event, Rejected) or event.reason
            found += 1
    assert found > 30
