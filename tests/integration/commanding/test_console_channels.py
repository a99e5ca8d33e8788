"""The channels of the console: commands, feeds and trouble over the stream, and what a token shows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest

from oddsengine.domain.ids import MarketId
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.commands.settings import CommandSettings
from oddsengine.runtime.gateway import run_gateway
from oddsengine.runtime.settings import GatewaySettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import QUICK_TIMING, RunningGateway, RunningService, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.service import Socket

ADMIN = a_token(sub="root", role="admin", lasts_s=3600)
PAIR = {
    "events": [
        {"id": "a.1", "name": "A v B", "sport": "football", "competition": "Cup", "start": None},
        {"id": "b.1", "name": "A v B II", "sport": "football", "competition": "Cup", "start": "2026-01-01T00:00:00Z"},
    ],
    "score": 0.8,
    "reason": "alike",
}
FEED = {"feed": "one", "sources": ["src"], "state": "live", "reason": "", "changes": []}


async def asked(gateway: RunningGateway, path: str, status: int = 200, **claims: Any) -> Any:
    headers = bearer(role="trader", **claims)["additional_headers"]
    async with gateway.http.get(f"{gateway.base}/v1/{path}", headers=headers) as answer:
        assert status == answer.status, await answer.text()
        return await answer.json()


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[RunningService]:
    """A service with one open market, for those who have a token."""
    key = KeySettings(algorithm="HS256", file=write_key(tmp_path / "secret", SECRET))
    settings = quick_settings(auth=AuthSettings(keys=(key,)))
    settings = msgspec.structs.replace(settings, commands=CommandSettings(second_person=("book_sum",)))
    async with running_service(settings) as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        yield service


def bearer(**claims: Any) -> dict[str, Any]:
    return {"additional_headers": {"Authorization": f"Bearer {a_token(**claims)}"}}


async def command(service: RunningService, body: dict[str, Any], token: str = ADMIN) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    async with service.http.post(service.base + "/v1/commands", data=orjson.dumps(body), headers=headers) as made:
        assert made.status in {201, 202}, await made.text()
        found: dict[str, Any] = await made.json()
        return found


async def of_channel(socket: Socket, channel: str, *ops: str) -> dict[str, Any]:
    while True:
        message = await socket.receive_until(*ops)
        if message.get("channel") == channel:
            return message


async def test_a_command_is_seen_from_its_making_to_its_end(floor: RunningService) -> None:
    before = await command(floor, {"action": "note", "reason": "seen", "scope": {"event": "e1"}})
    async with floor.socket(**bearer(sub="ann", role="trader")) as socket:
        await socket.subscribe("console:commands", "event:e1", confirm=True)
        snapshot = await of_channel(socket, "console:commands", "snapshot")
        assert [(before["id"], "active")] == [(each["id"], each["state"]) for each in snapshot["commands"]]
        assert snapshot["last"]
        await of_channel(socket, "console:commands", "live")
        made = await command(floor, {"action": "suspend", "scope": {"event": "e1"}, "reason": "red card"})
        (seen,) = (await of_channel(socket, "console:commands", "delta"))["commands"]
        assert (made["id"], "root", "red card", "active") == (seen["id"], seen["author"], seen["reason"], seen["state"])
        async with floor.http.delete(f"{floor.base}/v1/commands/{made['id']}", headers={"Authorization": f"Bearer {ADMIN}"}):
            (seen,) = (await of_channel(socket, "console:commands", "delta"))["commands"]
        assert ("lifted", "root") == (seen["state"], seen["lifted_by"])
        soon = await command(floor, {"action": "note", "reason": "seen", "scope": {"event": "e1"}, "expires": 1})
        states = []
        while "expired" not in states:
            delta = await of_channel(socket, "console:commands", "delta")
            states += [each["state"] for each in delta["commands"] if each["id"] == soon["id"]]
        assert ["active", "expired"] == states
        proposed = await command(floor, {"action": "book_sum", "scope": {"event": "e1"}, "values": 1.1})
        (seen,) = (await of_channel(socket, "console:commands", "delta"))["commands"]
        assert (proposed["id"], "proposed") == (seen["id"], seen["state"])


async def test_a_brand_sees_its_own_commands_only(floor: RunningService) -> None:
    await command(floor, {"action": "suspend", "scope": {"event": "e1", "profiles": ["default"]}})
    async with floor.socket(**bearer(sub="g", role="trader", profile="gold")) as socket:
        await socket.subscribe("console:commands")
        assert [] == (await of_channel(socket, "console:commands", "snapshot"))["commands"]
        everywhere = await command(floor, {"action": "note", "reason": "seen", "scope": {"event": "e1"}})
        await command(floor, {"action": "note", "reason": "seen", "scope": {"event": "e1", "profiles": ["default"]}})
        last = await command(floor, {"action": "note", "reason": "seen", "scope": {"event": "e1"}})
        seen: list[str] = []
        while last["id"] not in seen:
            seen += [each["id"] for each in (await of_channel(socket, "console:commands", "delta"))["commands"]]
        assert [everywhere["id"], last["id"]] == seen
    async with floor.socket(**bearer(sub="c", role="trader", channels=["event:other"])) as socket:
        await socket.subscribe("console:commands")
        assert [] == (await of_channel(socket, "console:commands", "snapshot"))["commands"]


async def test_another_token_of_a_lesser_role_ends_what_it_saw(floor: RunningService) -> None:
    async with floor.socket(**bearer(role="trader")) as socket:
        await socket.send(op="subscribe", id=1, channels=["console:other"])
        assert "unknown_channel" == (await socket.receive_until("error"))["code"]
        await socket.subscribe("console:feeds")
        await of_channel(socket, "console:feeds", "snapshot")
        await socket.send(op="auth", token=a_token(sub="less"))
        assert ["console:feeds"] == (await socket.receive_until("error"))["channels"]


async def test_feeds_and_trouble_reach_a_gateway_without_an_engine(floor: RunningService) -> None:
    """What engines and feeders know travels through Redis."""
    floor.engine.describe_feeds = lambda: [FEED]
    floor.engine.unmatched = lambda: [PAIR]  # type: ignore[method-assign]
    settings = msgspec.structs.replace(floor.settings, gateway=GatewaySettings(port=0))
    async with run_gateway(settings, settings.redis.url, timing=QUICK_TIMING) as gateway:
        elsewhere = RunningGateway(gateway, floor.http)
        await wait_until(lambda: elsewhere.hub.replica.ready, "readiness")
        async with elsewhere.socket(**bearer(role="trader")) as socket:
            await socket.subscribe("console:feeds", "console:trouble")
            snapshot = await of_channel(socket, "console:feeds", "snapshot")
            while not snapshot.get("feeds"):
                snapshot = await of_channel(socket, "console:feeds", "delta")
            assert [FEED] == snapshot["feeds"]
            found: list[dict[str, Any]] = []
            while not any(each["kind"] == "pair" for each in found):
                message = await of_channel(socket, "console:trouble", "snapshot", "delta")
                found = message.get("trouble", [])
            assert {"id": "pair:a.1 b.1", "kind": "pair", **PAIR} == found[-1]
            assert {"feeds": [FEED]} == await asked(elsewhere, "feeds")
            assert {"unmatched": [PAIR]} == await asked(elsewhere, "unmatched")
            market = "markets/e1%2Fmatch_odds/explain"
            explained = orjson.loads(orjson.dumps(floor.engine.explain(MarketId("e1/match_odds"))))
            # Guards say how old the market is.
            assert explained == {**await asked(elsewhere, market), "guards": explained["guards"]}
            assert {} == (await asked(elsewhere, market, profile="gold"))["profiles"]
            await asked(elsewhere, "markets/e9%2Fmatch_odds/explain", 404)
            floor.engine.describe_feeds = lambda: [{**FEED, "state": "down", "reason": "cut"}]
            floor.engine.unmatched = list  # type: ignore[method-assign]
            seen: dict[str, dict[str, Any]] = {}
            while len(seen) < 2:
                delta = await socket.receive_until("delta")
                seen[delta["channel"]] = delta
            assert ["down"] == [each["state"] for each in seen["console:feeds"]["feeds"]]
            assert ["pair:a.1 b.1"] == seen["console:trouble"]["removed"]
