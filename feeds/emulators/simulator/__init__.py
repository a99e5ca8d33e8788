"""A simulated provider for demos and tests: football matches on a betting exchange, and the feed that connects to it.

The feed runs the real Betfair adapter against an in-process stream server.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from feeds.adapters.betfair import BetfairCodec, MarketStream, Subscription
from feeds.emulators.betfair.stream_server import StreamServer
from feeds.emulators.simulator.exchange import Exchange
from feeds.emulators.simulator.fixtures import Pace, Schedule
from feeds.feed import Feed
from feeds.transports.byte_streams import TcpTransport
from oddsengine.common.clock import wall_clock_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from feeds.feed import RecordingReader

__all__ = ["FEED", "SimulatorConfig", "simulated_exchange"]

_HEARTBEAT_MS = 500


class SimulatorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The matches to simulate. `port` 0 takes a free one; a fixed port lets faults be injected from outside."""

    seed: int = 1
    matches: Annotated[int, Meta(ge=1, le=2000)] = 12
    pace: Pace = Pace()
    port: Annotated[int, Meta(ge=0, le=65535)] = 0


def simulated_exchange(config: SimulatorConfig, start_ms: int) -> Exchange:
    """Build the exchange of a config; its tick 0 is at `start_ms` (Unix milliseconds)."""
    schedule = Schedule(config.seed, config.matches, config.pace)
    return Exchange(config.seed, schedule.matches, config.pace, start_ms)


class _Simulator:
    config_type = SimulatorConfig

    def sources(self, name: str, config: SimulatorConfig) -> tuple[str, ...]:
        del config
        return (name,)

    @asynccontextmanager
    async def open(self, name: str, config: SimulatorConfig) -> AsyncIterator[Feed]:
        server = StreamServer(simulated_exchange(config, wall_clock_ms()), time.monotonic)
        await server.start(port=config.port)
        ticking = asyncio.create_task(server.run())
        try:
            yield self.offline(name, config)._replace(transport=TcpTransport("127.0.0.1", server.port, tls=False))
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking
            await server.stop()

    def offline(self, name: str, config: SimulatorConfig) -> Feed:
        del config
        codec = BetfairCodec(name, "simulated", "simulated", Subscription(heartbeat_ms=_HEARTBEAT_MS))
        return Feed((name,), codec, verifier=codec)

    def recording_reader(self, source: str) -> RecordingReader:
        return MarketStream(source)


FEED = _Simulator()
