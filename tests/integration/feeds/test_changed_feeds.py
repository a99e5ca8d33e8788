"""Feeds that are added, changed and removed while a service runs, as a reload does: nothing is suspended that need not be."""

from __future__ import annotations

import os
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feeds.emulators.core.market_model import MarketModel
from feeds.emulators.emulator import load_emulator
from feeds.feed import installed_feeds
from oddsengine.runtime.feed_runner import open_feeds
from oddsengine.runtime.feeding.local_feeds import LocalFeeds
from oddsengine.runtime.processes.startup import Startup
from oddsengine.runtime.settings import FeedSettings
from tests.support.faults.installation import BLOCKS, QUICK
from tests.support.service import RunningService, Socket, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from feeds.emulators.emulator import Emulator

EVENTS = 3


class Changed:
    """A service whose feeds are changed.

    Args:
        service: the service.
        local: its feeds.
    """

    def __init__(self, service: RunningService, local: LocalFeeds) -> None:
        self.service = service
        self.local = local

    async def reload(self, **feeds: FeedSettings) -> None:
        (await self.local.prepare(msgspec.structs.replace(self.service.settings, feeds=feeds)))()

    async def live(self, *names: str) -> None:
        """Wait until exactly these feeds are live, and something is open."""

        def are_live() -> bool:
            status = {each["feed"]: each["state"] for each in self.local.status()}
            return list(status) == list(names) and set(status.values()) == {"live"} and not self.local._replaced

        await wait_until(are_live, f"{names} live")
        await wait_until(lambda: "open" in self.states(), "an open market")

    def states(self) -> set[str | None]:
        """Return the states of all markets: open, or the reasons why they are not."""
        (offer,) = self.service.hub.replica.offers
        return {each.state.reason or each.state.status for each in offer.markets.values()}


def settings_of(name: str, emulator: Emulator, **changed: Any) -> FeedSettings:
    block = {**emulator.config(), **BLOCKS[name], **changed}
    return FeedSettings(name, msgspec.convert(block, installed_feeds()[name].config_type), QUICK)


async def lost_until_pong(socket: Socket) -> set[str]:
    """Return why markets were suspended, in all messages up to the next pong, if that has to do with their source."""
    reasons: set[str] = set()
    while (message := await socket.receive())["op"] != "pong":
        reasons |= {each["reason"] for each in message.get("markets", ()) if each.get("reason")}
    return {reason for reason in reasons if reason.startswith(("source", "withdrawn"))}


async def test_feeds_are_added_changed_and_removed() -> None:
    async with AsyncExitStack() as stack:
        emulators: dict[str, Emulator] = {}
        for name in ("betfair", "pinnacle"):
            plugin = load_emulator(name)
            emulator = emulators[name] = plugin.build(MarketModel(7, EVENTS, time.time_ns() // 1_000_000))
            await emulator.start()
            stack.push_async_callback(emulator.stop)
            os.environ.update(plugin.secrets)
        betfair, pinnacle = (settings_of(name, emulator) for name, emulator in emulators.items())
        service = await stack.enter_async_context(running_service(quick_settings(), sources=("betfair",)))
        local = LocalFeeds(service.engine, {})
        feeds = {"betfair": betfair}
        opened = await stack.enter_async_context(open_feeds(feeds, Startup()))
        await stack.enter_async_context(local.running(feeds, opened))
        changed = Changed(service, local)
        await changed.live("betfair")

        socket = await stack.enter_async_context(service.socket())
        await socket.subscribe("sport:football")
        await changed.reload(betfair=betfair, pinnacle=pinnacle)
        await changed.live("betfair", "pinnacle")
        await wait_until(lambda: bool(service.engine.pipeline.books["pinnacle"].markets), "its markets")
        assert EVENTS == len(service.hub.replica.offers[0].events), "the events of both are the same"
        await socket.send(op="ping", id=1)
        assert set() == await lost_until_pong(socket)

        # By other settings: the old connection stays until the new one is live.
        first = local.supervisors[0]
        await changed.reload(betfair=settings_of("betfair", emulators["betfair"], heartbeat_ms=700), pinnacle=pinnacle)
        await changed.live("betfair", "pinnacle")
        assert first is not local.supervisors[0]
        await socket.send(op="ping", id=2)
        assert set() == await lost_until_pong(socket)

        # One that can't be opened changes nothing.
        with pytest.raises(ValueError, match=r"feeds\.new: "):
            await changed.reload(betfair=betfair, new=settings_of("betfair", emulators["betfair"], app_key_env="NOT_SET_HERE"))
        await changed.live("betfair", "pinnacle")

        await changed.reload(pinnacle=pinnacle)
        await changed.live("pinnacle")
        assert ["pinnacle"] == list(service.engine.pipeline.books)
