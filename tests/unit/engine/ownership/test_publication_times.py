"""How long a publication took counts from the oldest message in it, whatever else has arrived since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.engine.ownership.publication_times import PublicationTimer
from oddsengine.streams.positions import Position

if TYPE_CHECKING:
    from oddsengine.engine.ownership.publication_times import PublicationTimes

AT = Position(1, 1)


def totals(timer: PublicationTimer) -> tuple[float, float, float]:
    """Return the sums of all three histograms: from the receipt, from the provider's time, of the write."""
    return tuple(round(histogram.total, 6) for _, _, histogram in timer.samples())  # type: ignore[return-value]


def test_the_oldest_message_counts() -> None:
    timer = PublicationTimer(0)
    timer.received("betfair", 1_000, 900)
    timer.received("betfair", 1_005, 1_004)
    timer.begin(1_010)
    timer.received("betfair", 1_011, 1_010)  # for the next flush
    timer.commit(1_012)
    timer.written(AT, 2, 1_015, 1_016)
    timer.end()
    assert (0.015, 0.116, 0.003) == totals(timer)
    timer.begin(1_020)
    timer.commit(1_020)
    timer.written(AT, 1, 1_021, 1_022)
    timer.end()
    assert (0.025, 0.128, 0.004) == totals(timer)


def test_what_no_message_has_caused_is_not_measured_but_for_the_write() -> None:
    timer = PublicationTimer(0)
    timer.begin(1_000)
    timer.commit(1_000)
    timer.written(AT, 3, 1_002, 1_002)
    timer.end()
    timer.received("betfair", 1_003, None)
    timer.begin(1_003)
    timer.commit(1_004)
    timer.written(AT, 0, 1_005, 1_005)  # a heartbeat: the message has changed nothing
    timer.end()
    assert (0.0, 0.0, 0.003) == totals(timer)


def test_what_a_flush_has_put_off_counts_from_its_own_message() -> None:
    timer = PublicationTimer(0)
    traced: list[PublicationTimes] = []
    timer.trace = traced.append
    timer.received("betfair", 1_000, 999)
    timer.begin(1_001)
    timer.commit(1_002)
    timer.written(AT, 1, 1_003, 1_003)
    timer.received("pinnacle", 1_004, None)
    timer.begin(1_010)
    timer.commit(1_011)
    timer.written(Position(1, 2), 1, 1_012, 1_012)
    timer.end()
    assert (0.015, 0.017, 0.002) == totals(timer)
    assert [("betfair", 999, 1), ("betfair", 999, 1)] == [(each.source, each.provider_ms, each.waited_ms) for each in traced]
    assert all(each.began_ns <= each.committed_ns <= each.written_ns for each in traced)
