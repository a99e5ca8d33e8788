"""The machines, Redis servers and bits a second that a load takes: arithmetic on what `bench.scaling.costs` measures.

Everything is linear in what was measured below saturation: a process of a role may use a share of its core, and the rest is kept
for peaks. What is not linear limits the plan by itself: each gateway process follows every change of its installation, so above
some rate the offer is divided into installations, for instance by sport, with a namespace and Redis servers of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

#: The share of a gateway's core that may go into following changes that nobody may have asked for.
_FOLLOWING_SHARE: Final = 0.4
_BITS: Final = 8
_MILLION: Final = 1e6
_GIGA: Final = 1e9
_SECONDS_PER_MONTH: Final = 2_592_000.0
_HOURS_PER_MONTH: Final = 720.0


@dataclass(frozen=True)
class Costs:
    """The cost of one of each: microseconds of processor time, or bytes.

    Attributes:
        followed_us: a gateway process, for each change of its installation.
        frame_us, delta_us: a gateway process, for each frame that it writes, and for each change in it.
        written_us, read_us: Redis, for each change, and for each change and process that follows.
        priced_us: the engines together, for each move of a provider's price until it is published.
        frame_bytes, delta_bytes: on the wire, without TLS and below it.
        compressed: the share of these bytes that is left by compression.
        socket_bytes: the memory of a connection in a gateway.
    """

    followed_us: float
    frame_us: float
    delta_us: float
    written_us: float
    read_us: float
    priced_us: float
    frame_bytes: float
    delta_bytes: float
    compressed: float
    socket_bytes: float


@dataclass(frozen=True)
class Load:
    """The load to be carried, and by what.

    Attributes:
        subscribers: connections.
        changes_per_s: of all markets.
        events: on offer; all change equally often.
        followed: events that a subscriber follows.
        markets: of an event.
        interval_s: how often a subscriber is sent a frame at most (`min_interval_ms`, or the engine's flushes).
        busy: the share of its core that a process may use.
        cores: of a machine.
        core_price: of an hour of a core.
        egress_price: of a gigabyte that leaves.
    """

    subscribers: float
    changes_per_s: float
    events: int = 20_000
    followed: int = 2
    markets: int = 100
    interval_s: float = 1.0
    busy: float = 0.7
    cores: int = 16
    core_price: float = 0.04
    egress_price: float = 0.02


@dataclass(frozen=True)
class Plan:
    """The machines that a load takes.

    Attributes:
        deltas_per_s, frames_per_s: to all subscribers.
        installations: parts of the offer, each with engines, Redis and gateways of its own.
        engine_cores: processes that price, of all installations.
        gateway_cores: gateway processes, of all installations.
        redis_servers: primaries and the replicas that gateways read from.
        machines: with the cores of all of them.
        gateway_bytes: the memory of all connections.
        egress_bits_per_s, compressed_bits_per_s: without and with compression.
        compute_price, egress_price, compressed_price: a month.
    """

    deltas_per_s: float
    frames_per_s: float
    installations: int
    engine_cores: int
    gateway_cores: int
    redis_servers: int
    machines: int
    gateway_bytes: float
    egress_bits_per_s: float
    compressed_bits_per_s: float
    compute_price: float
    egress_price: float
    compressed_price: float


def plan(costs: Costs, load: Load) -> Plan:
    """Return what a load takes at these costs. A subscriber of several installations is not modelled."""
    of_event_per_s = load.changes_per_s / load.events
    # A market that moves several times within the interval is sent once.
    moved = load.markets * (1 - (1 - 1 / load.markets) ** (of_event_per_s * load.interval_s))
    deltas = load.followed * min(moved, of_event_per_s * load.interval_s) / load.interval_s
    frames = min(load.followed * of_event_per_s, load.followed / load.interval_s)
    deltas_per_s, frames_per_s = load.subscribers * deltas, load.subscribers * frames

    following = costs.followed_us * load.changes_per_s / _MILLION
    installations = max(1, ceil(following / (_FOLLOWING_SHARE * load.busy)))
    sending = (costs.frame_us * frames_per_s + costs.delta_us * deltas_per_s) / _MILLION
    gateways_each = max(1, ceil(sending / installations / (load.busy - following / installations)))
    gateway_cores = installations * gateways_each
    engine_cores = installations * max(1, ceil(costs.priced_us * load.changes_per_s / _MILLION / installations / load.busy))

    changes_each = load.changes_per_s / installations / _MILLION
    # Every server, the primary and each replica, writes all changes; those that follow are spread over them.
    spare = load.busy - costs.written_us * changes_each
    servers_each = max(1, ceil(costs.read_us * changes_each * gateways_each / spare)) if spare > 0 else 0
    redis_servers = installations * servers_each

    machines = ceil((engine_cores + gateway_cores + redis_servers) / load.cores)
    bytes_per_s = costs.frame_bytes * frames_per_s + costs.delta_bytes * deltas_per_s
    egress_price = bytes_per_s * _SECONDS_PER_MONTH / _GIGA * load.egress_price
    return Plan(
        deltas_per_s=deltas_per_s,
        frames_per_s=frames_per_s,
        installations=installations,
        engine_cores=engine_cores,
        gateway_cores=gateway_cores,
        redis_servers=redis_servers,
        machines=machines,
        gateway_bytes=load.subscribers * costs.socket_bytes,
        egress_bits_per_s=bytes_per_s * _BITS,
        compressed_bits_per_s=bytes_per_s * _BITS * costs.compressed,
        compute_price=machines * load.cores * load.core_price * _HOURS_PER_MONTH,
        egress_price=egress_price,
        compressed_price=egress_price * costs.compressed,
    )
