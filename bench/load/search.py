"""Search for the highest rate that a system keeps up with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bench.reporting.progress import report_progress

if TYPE_CHECKING:
    from collections.abc import Callable

_GROWTH: Final = 1.4
#: Start and step of the coarse search for saturation.
_ROUGH_START: Final = 500.0
_ROUGH_GROWTH: Final = 1.5
#: If the first rate is already too high, it is divided by this, up to this many times.
_RETREAT: Final = 4.0
_RETREATS: Final = 4
#: Bisections between the best rate and the lowest rate that was too high: the result is within 4 %.
_REFINEMENTS: Final = 3


class Measurement(NamedTuple):
    """Result at one rate: deltas delivered per second, 99th percentile of their latency, and whether the system kept up."""

    deltas_per_s: float
    p99_ms: float
    kept_up: bool


def find_max_rate(measure: Callable[[float], Measurement], start: float) -> Measurement:
    """Find the highest rate that the system keeps up with, and return the measurement there; all zero if there is none.

    Args:
        measure: measures at a rate.
        start: the first rate to try, over 0.
    """
    rate, found = start, _measure_twice(measure, start)
    for _ in range(_RETREATS):
        if found.kept_up:
            break
        rate /= _RETREAT
        found = _measure_twice(measure, rate)
    if not found.kept_up:
        return Measurement(0.0, 0.0, kept_up=False)
    too_high = rate * _GROWTH
    while (higher := _measure_twice(measure, too_high)).kept_up:
        rate, found, too_high = too_high, higher, too_high * _GROWTH
    for _ in range(_REFINEMENTS):
        between = (rate * too_high) ** 0.5
        middle = _measure_twice(measure, between)
        if middle.kept_up:
            rate, found = between, middle
        else:
            too_high = between
    return found


def find_saturation(keeps_up: Callable[[float], bool]) -> float:
    """Find roughly the highest rate that the system keeps up with: one step more is too high. The first rate is not tested."""
    rate = _ROUGH_START
    while keeps_up(rate * _ROUGH_GROWTH):
        rate *= _ROUGH_GROWTH
        report_progress(f"keeps up with {rate:,.0f} changes/s")
    return rate


def _measure_twice(measure: Callable[[float], Measurement], rate: float) -> Measurement:
    """Measure at a rate, and repeat once if the system does not keep up: the machine may have been busy with something else."""
    measured = measure(rate)
    if not measured.kept_up:
        measured = measure(rate)
    keeps = "keeps up" if measured.kept_up else "does not keep up"
    report_progress(
        f"{rate:,.0f} changes/s: {keeps}, {measured.deltas_per_s:,.0f} deltas/s delivered, p99 {measured.p99_ms:.0f} ms"
    )
    return measured
