"""Both clients against real gateways that restart, limit them, and lose what they follow."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from oddsengine.gateway.access.settings import AuthSettings, KeySettings, LimitSettings
from oddsengine.runtime.gateway import run_gateway
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.clients.following import KINDS, Follower, Options, View, followers, wait_view
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import QUICK_TIMING, RunningService, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from oddsengine.runtime.gateway import GatewayService

pytestmark = pytest.mark.parametrize("kind", KINDS)


async def with_events(service: RunningService, count: int) -> list[str]:
    """Publish events with a market each. Return their channels."""
    for number in range(count):
        market = a_definition(f"e{number}/match_odds")
        service.feed(*market_updates(market, a_quote("home", 2.0), a_quote("away", 2.0), source_id=f"1.{number}"))
    await service.wait_published()
    return [f"event:e{number}" for number in range(count)]


@asynccontextmanager
async def another_gateway(service: RunningService, port: int = 0) -> AsyncIterator[GatewayService]:
    """Run one more gateway of a service: one that tests stop and start again."""
    address = msgspec.structs.replace(service.settings.gateway, port=port)
    settings = msgspec.structs.replace(service.settings, gateway=address)
    async with run_gateway(settings, settings.redis.url, timing=QUICK_TIMING) as gateway:
        await wait_until(lambda: gateway.hub.replica.ready, "readiness")
        yield gateway


@asynccontextmanager
async def following(kind: str, *options: Options) -> AsyncIterator[list[Follower]]:
    """Follow several clients."""
    async with followers(kind) as clients, AsyncExitStack() as stack:
        yield [await stack.enter_async_context(clients.follow(each)) for each in options]


async def all_views(found: Sequence[Follower], condition: Any, description: str) -> list[View]:
    return list(await asyncio.gather(*(wait_view(each, condition, description) for each in found)))


async def test_every_client_is_complete_again_after_a_restart(kind: str) -> None:
    """What has changed meanwhile arrives, and the event that is gone is shown by nobody who is connected."""
    async with running_service() as service, AsyncExitStack() as stack:
        channels = await with_events(service, 4)
        gateway = await stack.enter_async_context(another_gateway(service))
        options = [Options(f"127.0.0.1:{gateway.port}", channels) for _ in range(10)]
        async with following(kind, *options) as found:
            before = await all_views(found, lambda view: view.is_current(4), "the first state")
            assert all(view.problems == [] for view in before)
            await stack.aclose()
            lost = await all_views(found, lambda view: not view.connected, "the disconnect")
            assert all(set(channels) == view.stale.keys() and len(view.markets) == 4 for view in lost), "shown, but as stale"
            service.feed(
                *market_updates(a_definition("e0/match_odds"), a_quote("home", 4.0), a_quote("away", 1.33), source_id="1.0")
            )
            service.feed(*market_updates(a_definition("e3/match_odds", status="closed"), source_id="1.3"))
            await service.wait_published()
            for now_ms in (10_000, 20_000):
                service.engine.pipeline.retire(0, now_ms, 1)
            await service.wait_published()
            async with another_gateway(service, gateway.port):
                after = await all_views(
                    found, lambda view: view.connected and not view.stale and len(view.refused) == 1, "the end"
                )
        for view in after:
            assert {"e0/match_odds", "e1/match_odds", "e2/match_odds"} == view.markets.keys()
            assert {"event:e3": "event 'e3' is not on offer"} == view.refused
            assert view.markets["e0/match_odds"]["selections"]["home"]["price"] > 3
            assert "unknown_channel" in view.codes


async def test_a_channel_that_comes_back_is_shown_again(kind: str) -> None:
    timing = {"long_backoff_s": 0.05, "max_refused_s": 0.05}
    async with running_service() as service:
        await with_events(service, 1)
        async with following(kind, Options(service.base, ["event:e0", "event:e1"], None, timing)) as (follower,):
            view = await wait_view(follower, lambda view: "event:e1" in view.refused and bool(view.markets), "the refusal")
            assert {"e0"} == view.events.keys()
            await with_events(service, 2)
            view = await wait_view(follower, lambda view: view.is_current(2), "the other event")
    assert 0 == view.reconnects


@pytest.mark.parametrize(
    "limits",
    [
        LimitSettings(),
        LimitSettings(message_bytes=1024),
        LimitSettings(messages_per_s=1.0),
    ],
    ids=["defaults", "message_bytes", "messages_per_s"],
)
async def test_many_channels_are_complete_whatever_the_limits(kind: str, limits: LimitSettings) -> None:
    async with running_service(quick_settings(limits=limits)) as service:
        channels = await with_events(service, 250)
        async with following(kind, Options(service.base, channels)) as (follower,):
            view = await wait_view(follower, lambda view: view.is_current(250), "the last channel")
    assert view.reconnects <= (0 if limits == LimitSettings() else 8)


async def test_channels_over_the_limit_are_reported_and_the_others_served(kind: str) -> None:
    async with running_service(quick_settings(limits=LimitSettings(channels=2))) as service:
        channels = await with_events(service, 3)
        async with following(kind, Options(service.base, channels)) as (follower,):
            view = await wait_view(follower, lambda view: bool(view.refused) and len(view.events) == 2, "the refusal")
    assert (["over_limit"], 0) == (view.codes, view.reconnects)


async def test_a_token_with_too_many_sessions_is_tried_seldom_and_served_once_there_is_room(kind: str, tmp_path: Path) -> None:
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(tmp_path / "key", SECRET)),))
    token = a_token(limits={"sessions": 1})
    async with running_service(quick_settings(auth=auth)) as service, service.socket() as first:
        await with_events(service, 1)
        await first.send(op="auth", token=token)
        await first.receive_until("authenticated")
        async with following(kind, Options(service.base, ["event:e0"], [token])) as (follower,):
            view = await wait_view(follower, lambda view: view.reconnects >= 4, "the attempts")
            assert ([1.0, 2.0, 4.0, 8.0], {"4429"}) == (view.waits_s[:4], set(view.codes))
            await first.connection.close()
            await wait_view(follower, View.is_current, "its turn")


async def test_clients_over_the_rate_of_handshakes_come_when_they_are_asked_to(kind: str) -> None:
    async with running_service(quick_settings(limits=LimitSettings(handshakes_per_s=1.0))) as service:
        await with_events(service, 1)
        async with following(kind, *[Options(service.base, ["event:e0"]) for _ in range(5)]) as found:
            views = await all_views(found, View.is_current, "the last client")
    first_waits_s = [view.waits_s[0] for view in views if view.codes[:1] == ["429"]]
    assert {1.0 + 1.0} == set(first_waits_s), "Retry-After, and then not all at once"
    # When the page asks why, the gateway may have time again.
    assert {"429"} | ({"unreachable"} if kind == "javascript" else set()) >= {code for view in views for code in view.codes}


async def test_drained_clients_come_back_when_they_are_asked_to(kind: str) -> None:
    async with running_service() as service:
        await with_events(service, 1)
        async with following(kind, *[Options(service.base, ["event:e0"]) for _ in range(5)]) as found:
            await all_views(found, View.is_current, "the first state")
            await service.gateway.connections.drain()
            views = await all_views(found, lambda view: bool(view.waits_s), "the disconnect")
    waits_s = [view.waits_s[0] for view in views]
    assert (5, 0.2) == (len(set(waits_s)), min(waits_s))


async def test_a_token_is_replaced_before_it_expires(kind: str, tmp_path: Path) -> None:
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(tmp_path / "key", SECRET)),))
    tokens = [a_token(lasts_s=20), a_token(lasts_s=200)]
    options = Options("", ["event:e0"], tokens, {"renew_share": 0.97, "renew_before_s": 60.0})
    async with running_service(quick_settings(auth=auth)) as service:
        await with_events(service, 1)
        async with following(kind, options._replace(url=service.base)) as (follower,):
            await wait_view(follower, View.is_current, "the first state")

            def expiries_s() -> set[float | None]:
                return {session.access.expires_s for session in service.hub.sessions if session.access is not None}

            first = expiries_s()
            await wait_until(lambda: expiries_s() != first, "the other token")
            view = await follower.view()
    assert (0, 2, []) == (view.reconnects, view.tokens_asked, view.problems)
