"""Webhooks against a real HTTP server and a real Redis: signed, retried, told once, and kept through a restart."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.runtime.parts.webhooks import open_endpoints, renew_secrets, run_webhooks, webhooks_part
from oddsengine.runtime.settings import EngineSettings
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.keys import command_keys, webhook_keys
from oddsengine.webhooks.settings import WebhookSettings
from tests.support.builders import a_command, a_definition, a_quote, market_updates
from tests.support.clients.webhook_receiver import SECRET, Receiver, receiving, verify
from tests.support.service import RunningService, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oddsengine.webhooks.service import Webhooks

ANOTHER_SECRET = "whsec_" + base64.b64encode(b"a" * 24).decode()
MARKET = "e1/match_odds"


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest_asyncio.fixture
async def service() -> AsyncIterator[RunningService]:
    settings = msgspec.structs.replace(quick_settings(), engine=EngineSettings(lease_s=0.5))
    async with running_service(settings) as found:
        found.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await found.wait_published()
        yield found


@asynccontextmanager
async def telling(service: RunningService, receiver: Receiver, **options: Any) -> AsyncIterator[Webhooks]:
    """Run webhooks of an engine, and wait until everything is watched by somebody."""
    endpoints = open_endpoints([WebhookSettings(**{"url": receiver.url, "secret": SECRET, **options})])
    settings = service.settings
    async with run_webhooks(settings, settings.redis.full_url, service.engine, endpoints) as webhooks:
        await wait_noted(service, "commands")
        yield webhooks


async def wait_noted(service: RunningService, field: str) -> None:
    """Wait until something was noted, or an endpoint begun (`cursor:<name>`)."""
    redis = Redis.from_url(service.settings.redis.url)
    while not await redis.hexists(webhook_keys(service.settings.redis.namespace).state, field):
        await asyncio.sleep(0.01)
    await redis.aclose()


async def counted(webhooks: Webhooks, **expected: int) -> None:
    """Wait until the metrics of the only endpoint are these."""

    def found() -> dict[str, float]:
        samples = {name.removeprefix("oddsengine_webhook_"): value for name, _, value in webhooks.samples()}
        return {name: samples[name] for name in expected}

    await wait_until(lambda: found() == expected, f"{expected}, found {found()}")


async def command(service: RunningService, reason: str) -> None:
    body = {"action": "suspend", "scope": {"event": "e1"}, "reason": reason}
    await service.post("/v1/commands", json.dumps(body).encode(), 201)


async def settle(service: RunningService, home: str, away: str) -> None:
    definition = a_definition(status="closed")
    statuses = {"home": home, "away": away}
    selections = tuple(msgspec.structs.replace(each, status=statuses[each.key]) for each in definition.selections)
    service.feed(MarketUpdate("1.1", definition=msgspec.structs.replace(definition, selections=selections)))
    await service.wait_published()


@pytest.mark.parametrize("status", [500, 307, 400])
async def test_an_event_is_signed_and_tried_again_until_it_is_accepted(
    status: int, service: RunningService, receiver: Receiver
) -> None:
    receiver.statuses = [status]
    async with telling(service, receiver, events=("commands", "results")) as webhooks:
        await command(service, "red card")
        (event,) = await receiver.wait_for("command.made")
        assert ("red card", "suspend", {"event": "e1"}) == tuple(event["data"][key] for key in ("reason", "action", "scope"))
        first, second = receiver.attempts
        assert (first[0]["webhook-id"], first[1]) == (second[0]["webhook-id"], second[1])
        for headers, body in receiver.attempts:
            verify(headers, body)
        await counted(webhooks, delivered_total=1, failures_total=1)


async def test_a_restart_loses_nothing_and_tells_nothing_twice(service: RunningService, receiver: Receiver) -> None:
    receiver.statuses = [503] * 3
    async with telling(service, receiver, events=("commands", "results")) as webhooks:
        await command(service, "first")
        await settle(service, "winner", "loser")
        await counted(webhooks, pending=2)
        await wait_until(lambda: bool(receiver.attempts), "an attempt")
    await settle(service, "loser", "winner")
    await command(service, "unwatched")
    receiver.statuses = []
    async with telling(service, receiver, events=("commands", "results")):
        await wait_until(lambda: len(receiver.accepted) >= 4, f"four events, got {receiver.types()}")
    by_type = sorted(receiver.types())
    assert ["command.made", "command.made", "market.resulted", "market.resulted"] == by_type
    outcomes = [
        {key: each["outcome"] for key, each in event["data"]["selections"].items()}
        for event in receiver.accepted
        if event["type"] == "market.resulted"
    ]
    assert [{"home": "winner", "away": "loser"}, {"home": "loser", "away": "winner"}] == outcomes
    assert 4 == len({event["id"] for event in receiver.accepted})


async def test_a_replaced_secret_and_other_endpoints_are_used_without_a_restart(
    service: RunningService, receiver: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text(ANOTHER_SECRET)
    async with telling(service, receiver, events=("commands", "results"), secret="", secret_file=str(file)) as webhooks:
        file.write_text("unusable")
        renew_secrets(webhooks)
        file.write_text(f"{ANOTHER_SECRET}\n{SECRET}\n")
        renew_secrets(webhooks)
        await command(service, "signed with both")
        await receiver.wait_for("command.made")
        verify(*receiver.attempts[0])
        other = WebhookSettings(url=receiver.url, secret=SECRET, name="other", events=("commands",))
        part = webhooks_part(webhooks)
        (await part.prepare(msgspec.structs.replace(service.settings, webhooks=(other,))))()
        await wait_noted(service, "cursor:other")
        await command(service, "told to the other")
        (_, event) = await receiver.wait_for("command.made", "command.made")
        assert "told to the other" == event["data"]["reason"]


async def test_one_process_delivers_and_another_goes_on_when_it_stops(service: RunningService, receiver: Receiver) -> None:
    events = ("commands", "results")
    async with telling(service, receiver, events=events) as first, telling(service, receiver, events=events) as second:
        await command(service, "once")
        await counted(first, delivered_total=1, pending=0)
        await first.stop()
        await command(service, "again")
        await receiver.wait_for("command.made", "command.made")
        await counted(second, delivered_total=1)


async def test_what_happens_after_redis_came_back_as_it_was_earlier_is_told(service: RunningService, receiver: Receiver) -> None:
    """Another command has the number of one that was told then, and another event that of one that was delivered."""
    namespace = service.settings.redis.namespace
    redis = Redis.from_url(service.settings.redis.url)
    log = CommandLog(redis, namespace)
    keys = [*command_keys(namespace), *webhook_keys(namespace)]
    async with telling(service, receiver, events=("commands",)) as webhooks:
        await log.write(a_command("note", key="c1", all=True))
        await counted(webhooks, delivered_total=1)
        earlier: list[Any] = [await redis.dump(key) for key in keys]
        await log.write(a_command("note", key="c2", all=True))
        await counted(webhooks, delivered_total=2)
        async with redis.pipeline() as pipe:
            for key, value in zip(keys, earlier, strict=True):
                pipe.restore(key, 0, value, replace=True)
            await pipe.execute()
        await CommandLog(redis, namespace).write(a_command("note", key="c3", all=True))
        await wait_until(lambda: "c3" in {event["data"]["id"] for event in receiver.accepted}, "the command after it")
    await redis.aclose()


async def test_guards_that_suspend_much_are_told(service: RunningService, receiver: Receiver) -> None:
    options = {"events": ("guards", "commands"), "guard_suspensions": 2, "guard_window_s": 60.0}
    async with telling(service, receiver, **options):
        for number in (1, 2):
            market = f"e{number}/total/ft/2.5"
            definition = a_definition(market, ("over", "under"), type="total", line=2.5)
            updates = market_updates(definition, a_quote("over", 1.2), a_quote("under", 1.2), source_id=market)
            service.feed(*updates)
        (event,) = await receiver.wait_for("guards.tripped")
        assert (2, {"incoherent": 2}) == (event["data"]["suspended"], event["data"]["reasons"])


async def test_an_event_that_nobody_accepts_is_given_up(service: RunningService, receiver: Receiver) -> None:
    receiver.statuses = [500]
    async with telling(service, receiver, events=("commands", "results"), retry_for_s=0.0) as webhooks:
        await command(service, "given up")
        await wait_until(lambda: bool(receiver.attempts), "an attempt")
        await command(service, "accepted")
        (event,) = await receiver.wait_for("command.made")
        assert "accepted" == event["data"]["reason"]
        await counted(webhooks, dropped_total=1, delivered_total=1)
