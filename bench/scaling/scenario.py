"""`python -m bench scale`: what each role's work costs, that a second process adds its own, and what a large load would take."""

from __future__ import annotations

from typing import Final

from bench.reporting.row import Row
from bench.scaling.costs import measure
from bench.scaling.model import Costs, Load, Plan, plan

_SCENARIO: Final = "scale"
_GIGA: Final = 1e9
#: What a second process may cost more, for the same work: it follows everything too.
_SECOND_GATEWAY: Final = 0.8
_SECOND_ENGINE: Final = 0.8


def run(load: Load) -> list[Row]:
    """Measure the costs, and plan for a load by them."""
    measured = measure()
    return [
        *_cost_rows(measured.costs),
        _share("work a processor second of two gateway workers, of one", 1 / measured.two_workers, _SECOND_GATEWAY),
        _share("work a processor second of two engines, of one", 1 / measured.two_engines, _SECOND_ENGINE),
        *_plan_rows(load, plan(measured.costs, load)),
    ]


def _share(metric: str, value: float, goal: float) -> Row:
    return Row(scenario=_SCENARIO, metric=metric, value=value, unit="", goal=goal, met=value >= goal)


def _cost_rows(costs: Costs) -> list[Row]:
    rows = [
        ("gateway: a change followed", costs.followed_us, "us"),
        ("gateway: a frame", costs.frame_us, "us"),
        ("gateway: a delta in a frame", costs.delta_us, "us"),
        ("gateway: memory of a connection", costs.socket_bytes, "bytes"),
        ("Redis: a change written", costs.written_us, "us"),
        ("Redis: a change read by one process", costs.read_us, "us"),
        ("engine: a price moved and published", costs.priced_us, "us"),
        ("wire: a frame", costs.frame_bytes, "bytes"),
        ("wire: a delta in a frame", costs.delta_bytes, "bytes"),
        ("wire: left by compression", costs.compressed, ""),
    ]
    return [Row(scenario=_SCENARIO, metric=metric, value=value, unit=unit) for metric, value, unit in rows]


def _plan_rows(load: Load, planned: Plan) -> list[Row]:
    carried = f"{load.subscribers:,.0f} subscribers, {load.changes_per_s:,.0f} changes/s"
    rows = [
        ("deltas", planned.deltas_per_s, "deltas/s"),
        ("frames", planned.frames_per_s, "frames/s"),
        ("installations", planned.installations, ""),
        ("engine processes", planned.engine_cores, ""),
        ("gateway processes", planned.gateway_cores, ""),
        ("Redis servers", planned.redis_servers, ""),
        (f"machines of {load.cores} cores", planned.machines, ""),
        ("memory of connections", planned.gateway_bytes / _GIGA, "GB"),
        ("egress", planned.egress_bits_per_s / _GIGA, "Gbit/s"),
        ("egress, compressed", planned.compressed_bits_per_s / _GIGA, "Gbit/s"),
        ("machines, a month", planned.compute_price, "money"),
        ("egress, a month", planned.egress_price, "money"),
        ("egress, compressed, a month", planned.compressed_price, "money"),
    ]
    return [Row(scenario=f"{_SCENARIO}: {carried}", metric=metric, value=value, unit=unit) for metric, value, unit in rows]
