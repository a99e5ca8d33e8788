"""A feed under supervision, with its provider's emulator on loopback."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from feeds.emulators.core.market_model import MarketModel
from feeds.emulators.emulator import load_emulator
from feeds.feed import Feed, installed_feeds
from feeds.supervision.supervisor import Supervisor
from oddsengine.common.clock import wall_clock_ms
from tests.support.tasks import in_background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from feeds.supervision.event_handler import Sink
    from feeds.supervision.settings import Supervision
    from oddsengine.domain.feed_updates import UpdateBatch

#: The events of an emulated provider.
EVENTS: Final = 4


class NullSink:
    """Ignores every update."""

    def receive(self, batch: UpdateBatch) -> None:
        """Ignore a batch."""

    def agrees(self, batch: UpdateBatch) -> bool:
        """Return True: nothing is compared."""
        del batch
        return True


class EmulatedFeed(NamedTuple):
    """A running feed and its provider."""

    emulator: Any
    feed: Feed
    supervisor: Supervisor


@asynccontextmanager
async def emulated_feed(
    provider: str, supervision: Supervision, sink: Sink | None = None, fault: str = "", **config: Any
) -> AsyncIterator[EmulatedFeed]:
    """Run a feed and the emulator of its provider.

    Args:
        provider: the name of both.
        supervision: how the feed is supervised.
        sink: receives the updates; nobody without it.
        fault: the provider has it from the start, until the test ends it.
        config: keys of the feed's configuration besides those that the emulator prints.
    """
    plugin, emulated = installed_feeds()[provider], load_emulator(provider)
    os.environ.update(emulated.secrets)
    emulator: Any = emulated.build(MarketModel(1, EVENTS, wall_clock_ms()))
    await emulator.start()
    try:
        if fault:
            emulator.inject_fault(fault, 3600.0)
        async with plugin.open("f", msgspec.convert(emulator.config() | config, plugin.config_type)) as feed:
            supervisor = Supervisor("f", feed, sink or NullSink(), supervision)
            async with in_background(supervisor.run()):
                yield EmulatedFeed(emulator, feed, supervisor)
    finally:
        await emulator.stop()
