"""Finds the greatest rate that a system keeps up with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bench.reporting.progress import doing

if TYPE_CHECKING:
    from collections.abc import Callable

_GROWTH: Final = 1.4
#: Where only about how much is too much is asked: from here on, in steps of this.
_ROUGH_START: Final = 500.0
_ROUGH_GROWTH: Final = 1.5
#: Where even the first rate is too much, this much less is tried, so many times.
_RETREAT: Final = 4.0
_RETREATS: Final = 4
#: How often the span between the best rate and one that was too much is halved: that leaves 4 % of it.
_REFINEMENTS: Final = 3


class Measured(NamedTuple):
    """What came at a rate: deltas delivered a second, the 99th percentile of their latency, and whether that was good enough."""

    deltas_per_s: float
    p99_ms: float
    kept_up: bool


def best(measure: Callable[[float], Measured], start: float) -> Measured:
    """Find the greatest rate that is kept up with, and give what came at it; nothing if not even a small part of `start` is.

    Args:
        measure: tries a rate.
        start: the rate to begin at, over 0.
    """
    rate, found = start, _tried(measure, start)
    for _ in range(_RETREATS):
        if found.kept_up:
            break
        rate /= _RETREAT
        found = _tried(measure, rate)
    if not found.kept_up:
        return Measured(0.0, 0.0, kept_up=False)
    too_much = rate * _GROWTH
    while (higher := _tried(measure, too_much)).kept_up:
        rate, found, too_much = too_much, higher, too_much * _GROWTH
    for _ in range(_REFINEMENTS):
        between = (rate * too_much) ** 0.5
        middle = _tried(measure, between)
        if middle.kept_up:
            rate, found = between, middle
        else:
            too_much = between
    return found


def saturation(keeps_up: Callable[[float], bool]) -> float:
    """Find about the greatest rate that is kept up with: one step more is too much. The first rate is taken for granted."""
    rate = _ROUGH_START
    while keeps_up(rate * _ROUGH_GROWTH):
        rate *= _ROUGH_GROWTH
        doing(f"keeps up with {rate:,.0f} published a second")
    return rate


def _tried(measure: Callable[[float], Measured], rate: float) -> Measured:
    """Measure a rate, and once more if it is not kept up with: the machine may have been busy with something else."""
    measured = measure(rate)
    if not measured.kept_up:
        measured = measure(rate)
    keeps = "keeps up" if measured.kept_up else "does not keep up"
    doing(f"{rate:,.0f} published a second: {keeps}, {measured.deltas_per_s:,.0f} delivered, p99 {measured.p99_ms:.0f} ms")
    return measured
