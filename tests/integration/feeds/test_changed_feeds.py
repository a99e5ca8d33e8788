"""Feeds that are added, changed and removed while a service runs, as a reload does: nothing is suspended that need not be."""

from __future__ import annotations

import asyncio
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
from oddsengine.runtime.feeding.running import share_feeds
from oddsengine.runtime.processes.startup import Startup
from oddsengine.runtime.settings import FeedSettings
from oddsengine.streams.connection import open_client
from oddsengine.streams.keys import lease_keys
from tests.support.faults.installation import BLOCKS, QUICK
from tests.support.service import PATIENCE_S, RunningService, Socket, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from feeds.emulators.emulator import Emulator
    from oddsengine.runtime.feeding.running import SharedFeeds
    from oddsengine.runtime.settings import Settings

EVENTS = 3
#: No feed is down because a busy machine keeps it waiting: what is looked at here is what changes do to it.
PATIENT = msgspec.structs.replace(QUICK, connect_timeout_s=20.0, quiet_in_play_s=60.0, quiet_s=60.0, lag_limit_s=60.0)
PATIENT_BLOCKS = {"betfair": {"timeout_s": 20.0}}


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
    block = {**emulator.config(), **BLOCKS[name], **PATIENT_BLOCKS.get(name, {}), **changed}
    return FeedSettings(name, msgspec.convert(block, installed_feeds()[name].config_type), PATIENT)


async def lost_until_pong(socket: Socket, *, new: bool = True) -> set[str]:
    """Return why markets were suspended, in all messages up to the next pong, if that has to do with their source.

    Args:
        socket: what was subscribed to.
        new: whether markets count that were not open before.
    """
    reasons: set[str] = set()
    opened: set[str] = set()
    while (message := await socket.receive())["op"] != "pong":
        markets = message.get("markets", ())
        reasons |= {each["reason"] for each in markets if each.get("reason") and (new or each["id"] in opened)}
        opened |= {each["id"] for each in markets if each.get("status") == "open"}
    return {reason for reason in reasons if reason.startswith(("source", "withdrawn"))}


async def test_feeds_are_added_changed_and_removed() -> None:
    async with AsyncExitStack() as stack:
        emulators, blocks = await running_emulators(stack)
        betfair, pinnacle = blocks.values()
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


def in_use(process: SharedFeeds) -> Any:
    """Return the feed that a process is connected to."""
    assert process.feeder is not None
    return process.feeder.in_use()[0]


async def only_leased(settings: Settings, *feeds: str) -> None:
    """Wait until there are leases of these feeds only."""
    async with open_client(settings.redis.url) as redis, asyncio.timeout(PATIENCE_S):
        while await redis.hkeys(lease_keys(settings.redis.namespace, "feeds").leases) != [feed.encode() for feed in feeds]:
            await asyncio.sleep(0.05)


async def running_emulators(stack: AsyncExitStack) -> tuple[dict[str, Any], dict[str, FeedSettings]]:
    """Run two providers. Return them and the settings of their feeds."""
    emulators: dict[str, Any] = {}
    for name in ("betfair", "pinnacle"):
        plugin = load_emulator(name)
        emulator = emulators[name] = plugin.build(MarketModel(7, EVENTS, time.time_ns() // 1_000_000))
        await emulator.start()
        stack.push_async_callback(emulator.stop)
        os.environ.update(plugin.secrets)
    return emulators, {name: settings_of(name, emulator) for name, emulator in emulators.items()}


async def test_processes_that_share_feeds_are_reloaded_one_after_the_other() -> None:
    """An engine that connects no feeds, and two feeders."""
    async with AsyncExitStack() as stack:
        emulators, blocks = await running_emulators(stack)
        service = await stack.enter_async_context(running_service(quick_settings(), sources=("betfair",)))
        feeds = {"betfair": blocks["betfair"]}
        settings = msgspec.structs.replace(service.settings, feeds=feeds)
        url = settings.redis.url
        engine = await stack.enter_async_context(share_feeds(settings, url, None, service.engine))
        feeders = []
        for _ in range(2):
            opened = await stack.enter_async_context(open_feeds(feeds, Startup()))
            feeders.append(await stack.enter_async_context(share_feeds(settings, url, opened, None)))
        first, second = feeders

        async def reload(process: SharedFeeds, *names: str) -> None:
            changed = msgspec.structs.replace(settings, feeds={name: blocks[name] for name in names})
            (await process.part().prepare(changed))()

        def owned() -> list[list[str]]:
            return [each.feeder.owned for each in (first, second) if each.feeder is not None]

        async def live(*names: str) -> None:
            def are_live() -> bool:
                status = {each["feed"]: each["state"] for each in engine.status()}
                return status == dict.fromkeys(names, "live")

            await wait_until(are_live, f"{names} live")

        await live("betfair")
        await wait_until(lambda: "open" in Changed(service, LocalFeeds(service.engine, {})).states(), "an open market")
        if not owned()[0]:
            first, second = second, first
        async with service.socket() as socket:
            await socket.subscribe("sport:football")
            blocks["betfair"] = settings_of("betfair", emulators["betfair"], heartbeat_ms=700)
            before = in_use(first)
            for process in (first, second):
                await reload(process, "betfair")
            await wait_until(lambda: in_use(first) is not before, "the replacement")
            await wait_until(lambda: emulators["betfair"].stream.connections == 1, "the end of the old connection")
            for process in (engine, first, second):
                await reload(process, "betfair", "pinnacle")
            await live("betfair", "pinnacle")
            await reload(first, "pinnacle")
            await wait_until(lambda: "betfair" in owned()[1] and "betfair" not in owned()[0], "betfair at the other feeder")
            await live("betfair", "pinnacle")
            await socket.send(op="ping", id=9)
            assert set() == await lost_until_pong(socket, new=False)
        await reload(engine, "pinnacle")
        await reload(second, "pinnacle")
        await wait_until(lambda: sorted(owned()) == [[], ["pinnacle"]], "the end of betfair")
        await live("pinnacle")
        await only_leased(settings, "pinnacle")
