"""The rows of `python -m bench failover`: what happens to which installation, and within what all is as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from tests.support.faults import outside_faults as outside
from tests.support.faults import process_faults as processes
from tests.support.faults.failover import LINKS, FailoverInstallation
from tests.support.faults.members import Arrangement

if TYPE_CHECKING:
    from tests.support.faults.relay import Condition

Injection: TypeAlias = Callable[[FailoverInstallation], Awaitable[object]]

LEASE_S: Final = 2.0
#: A feed whose feeder is gone is down after this time at `lag_limit_s = 5`.
_FEED_S: Final = 2.0
#: After this time without a sign of life of a shard's owner its markets are suspended.
_STALE_S: Final = 3.0
#: A network that fails: live again after it has healed.
_HEALED_S: Final = 1.0
#: What it takes to connect to the provider.
_CONNECT_S: Final = 0.5
#: What a look of the subscriber, or of the benchmark, takes.
_LOOK_S: Final = 0.5


class Fault(NamedTuple):
    """A row.

    Attributes:
        name: its name.
        inject: what happens.
        moved_s: for how long a price may stay open after the provider has left it, seconds.
        live_s: within what everything is open and current, seconds from the start, or from when the fault is healed.
        restore: what makes the installation whole again, after it was judged.
        keeps_sockets: whether the subscriber's connection lasts.
        may_suspend: whether any market may be suspended meanwhile.
    """

    name: str
    inject: Injection
    moved_s: float
    live_s: float
    restore: Injection | None = None
    keeps_sockets: bool = True
    may_suspend: bool = True


async def _another_engine(running: FailoverInstallation) -> None:
    while len(running.engines) < running.members.arrangement.engines:
        await running.start("engine")
    await running.shared_evenly()


async def _another_feeder(running: FailoverInstallation) -> None:
    while len(running.feeders) < running.members.arrangement.feeders:
        feeder = await running.start("feeder")
        await feeder.process.logged("feeding")


async def _one_engine_less(running: FailoverInstallation) -> None:
    while len(running.engines) > running.members.arrangement.engines:
        await processes.engine_stopped(running)
    await running.shared_evenly()


def _networks() -> list[Fault]:
    names = {"feeder": "feeder-Redis", "engine": "engine-Redis", "gateway": "gateway-Redis", "client": "client-gateway"}
    conditions: dict[str, Condition] = {"cut": "cut", "stalled": "stalled", "black-holed": "lost"}
    faults = []
    for link in LINKS:
        keeps = link != "client"
        for what, condition in conditions.items():
            inject = partial(outside.network, link=link, condition=condition)
            faults.append(Fault(f"{names[link]} {what}", inject, _STALE_S, _HEALED_S, keeps_sockets=keeps))
        reset = partial(outside.network_reset, link=link)
        faults.append(Fault(f"{names[link]} reset", reset, _STALE_S, _HEALED_S, keeps_sockets=keeps))
    return faults


#: Arrangements, longest first, and what happens to each.
TABLE: Final[dict[str, tuple[Arrangement, list[Fault]]]] = {
    "networks": (Arrangement(engines=1, feeders=1, is_relayed=True), _networks()),
    "networks of one of two": (
        Arrangement(engines=2, feeders=2, is_relayed=True),
        [
            Fault("one engine of two cut off from Redis", outside.engine_cut_off, LEASE_S + 0.5, LEASE_S + 1.5),
            Fault("one feeder of two cut off from Redis", outside.feeder_cut_off, _FEED_S, _CONNECT_S + 1.0),
        ],
    ),
    "owners": (
        Arrangement(engines=2, feeders=2, workers=2),
        [
            Fault("owner killed, second engine there", processes.engine_killed, LEASE_S + 0.5, LEASE_S + 1.5, _another_engine),
            Fault("owner stopped (SIGTERM)", processes.engine_stopped, 0.0, 0.5, _another_engine, may_suspend=False),
            Fault("engines replaced one by one", processes.engines_replaced, 0.0, 0.5, may_suspend=False),
            Fault(
                "owner paused 10 s and woken",
                partial(processes.paused, role="engine", seconds=10.0, heals=False),
                LEASE_S + 0.5,
                LEASE_S + 1.5,
                _another_engine,
            ),
            Fault("feeder killed, another one there", processes.feeder_killed, _FEED_S, _CONNECT_S + 1.0, _another_feeder),
            Fault("feeder stopped (SIGTERM)", processes.feeder_stopped, 0.0, 0.5, _another_feeder, may_suspend=False),
            Fault("feeder paused 10 s and woken, another one there", processes.feeder_paused, _FEED_S, _CONNECT_S + 1.0),
            Fault("feeder out of files, another one there", processes.feeder_out_of_files, _FEED_S, 1.5),
            Fault("feeder out of memory, another one there", processes.feeder_out_of_memory, _FEED_S, 1.5, _another_feeder),
            # The next connection may be one that waits for the next worker to start.
            Fault("worker killed", processes.worker_killed, _LOOK_S, 5.0, keeps_sockets=False),
            Fault("worker paused", processes.worker_paused, _STALE_S, 8.0, keeps_sockets=False),
            Fault("worker paused and woken", processes.worker_paused_and_woken, _STALE_S, 1.5, keeps_sockets=False),
        ],
    ),
    "one of each": (
        Arrangement(engines=1, feeders=1),
        [
            Fault("lone engine killed, started again", processes.engine_killed_and_restarted, _STALE_S, 1.0),
            Fault("lone engine paused 10 s", partial(processes.paused, role="engine", seconds=10.0), _STALE_S, 1.5),
            Fault("lone feeder killed, started again", processes.feeder_killed_and_restarted, _FEED_S, _CONNECT_S + 1.0),
            Fault("lone feeder paused 10 s", partial(processes.paused, role="feeder", seconds=10.0), _FEED_S + _LOOK_S, 1.5),
            # A client that is told that the gateway is starting, or is stopping, waits for up to two seconds.
            Fault("gateway stopped (SIGTERM), started again", processes.gateway_stopped, _LOOK_S, 3.0, keeps_sockets=False),
            Fault("gateway out of memory", processes.gateway_out_of_memory, _STALE_S, 3.0, keeps_sockets=False),
            Fault("gateway killed, started again", processes.gateway_killed, _LOOK_S, 3.0, keeps_sockets=False),
            Fault(
                "gateway paused 10 s",
                partial(processes.paused, role="gateway", seconds=10.0),
                _STALE_S,
                1.5,
                keeps_sockets=False,
            ),
        ],
    ),
    "one Redis": (
        Arrangement(engines=1, feeders=1),
        [
            Fault("Redis paused", outside.redis_paused, _STALE_S, 1.5),
            Fault("Redis restarted empty", outside.redis_restarted_empty, _STALE_S, 1.5),
            Fault("Redis restarted with an old file", outside.redis_restarted_with_old_file, _STALE_S, 1.5),
            Fault("Redis restarted with its log", outside.redis_restarted_with_log, _STALE_S, 1.5),
            Fault("Redis stopped (SIGTERM), started again", outside.redis_stopped, _STALE_S, 1.5),
            Fault("Redis flushed", outside.redis_flushed, _STALE_S, 1.5),
            Fault("Redis full", outside.redis_full, _STALE_S, 1.5),
            Fault("Redis can't save", outside.redis_disk_full, _STALE_S, 1.5),
            Fault("Redis evicts keys", outside.redis_evicts, _STALE_S, 1.5),
        ],
    ),
    # Workers that have read different amounts when Redis fails differ until it is back, so there is one.
    "two of each": (
        Arrangement(engines=2, feeders=2),
        [
            Fault(
                "Redis restarted with a file of the past",
                outside.redis_restarted_with_file_of_the_past,
                _STALE_S,
                1.5,
                _another_feeder,
            ),
        ],
    ),
    "Sentinel": (
        Arrangement(engines=2, redis="sentinel"),
        [
            Fault("primary killed", outside.primary_killed, _STALE_S, 1.5, outside.replica_started_again),
            Fault("failover while the primary lives", outside.failed_over_without_need, _STALE_S, 1.5, outside.replicas_follow),
            Fault(
                "primary killed, tail lost, engines last",
                partial(outside.primary_killed_and_tail_lost, late="engine"),
                _STALE_S,
                1.5,
                outside.replica_started_again,
            ),
            Fault(
                "primary killed, tail lost, gateway last",
                partial(outside.primary_killed_and_tail_lost, late="gateway"),
                _STALE_S,
                1.5,
                outside.replica_started_again,
            ),
        ],
    ),
    "Cluster": (
        Arrangement(engines=2, redis="cluster"),
        [Fault("node of a Cluster killed", outside.cluster_primary_killed, _STALE_S, 1.5, outside.node_started_again)],
    ),
    "clocks": (
        Arrangement(engines=2, feeders=1, clocks=("+3600", "-3600")),
        [
            Fault("owner killed, clocks two hours apart", processes.engine_killed, LEASE_S + 0.5, LEASE_S + 1.5, _another_engine),
            Fault("clocks of engines set by hours", partial(processes.clock_set, role="engine"), 0.0, 0.5, may_suspend=False),
            Fault("clock of the feeder set by hours", partial(processes.clock_set, role="feeder"), 0.0, 0.5, may_suspend=False),
            Fault("clock of the gateway set by hours", partial(processes.clock_set, role="gateway"), 0.0, 0.5, may_suspend=False),
            Fault("clock of Redis set by hours", outside.redis_clock_set, 0.0, 0.5, may_suspend=False),
        ],
    ),
    "whole engines": (
        Arrangement(engines=2),
        [
            Fault("owner and feeder killed", processes.feeder_killed, LEASE_S + 0.5, LEASE_S + 1.5, _another_engine),
            Fault("engine joins", processes.engine_joins, 0.0, 0.5, _one_engine_less, may_suspend=False),
            Fault("gateway out of files", processes.gateway_out_of_files, 0.0, 0.5, may_suspend=False),
            Fault("engine out of files", processes.engine_out_of_files, _STALE_S, 1.5, _another_engine),
            Fault("engine out of memory", processes.engine_out_of_memory, _STALE_S, LEASE_S + 1.5, _another_engine),
        ],
    ),
    "a load": (
        Arrangement(engines=2, feeders=2, events=30, move_share=0.6),
        [
            Fault("owner stopped under load", processes.engine_stopped, 0.0, 0.5, _another_engine, may_suspend=False),
            Fault("owner killed under load", processes.engine_killed, LEASE_S + 0.5, LEASE_S + 1.5, _another_engine),
            Fault("feeder stopped under load", processes.feeder_stopped, 0.0, 0.5, _another_feeder, may_suspend=False),
            Fault("gateway stopped under load", processes.gateway_stopped, _LOOK_S, 3.0, keeps_sockets=False),
        ],
    ),
}
