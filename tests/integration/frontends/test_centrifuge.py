"""Centrifugo's SDKs, unchanged, at `/connection/websocket`."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import centrifuge  # type: ignore[import-untyped] # its package has types, but not their marker
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

import tests.support.frontends
from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.programs.npm import needs_npm, npm_install
from tests.support.service import PATIENCE_S, RunningService, quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_DRIVER: Final = Path(tests.support.frontends.__file__).with_name("centrifuge.mjs")
_SDK: Final = "centrifuge@5.7.0"


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdk")
    npm_install(folder, _SDK)
    return folder


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[RunningService]:
    key = KeySettings(algorithm="HS256", file=write_key(tmp_path / "key", SECRET))
    auth = AuthSettings(keys=(key,), leeway_s=0.0, timeout_s=2.0)
    async with running_service(quick_settings(auth=auth, shards=2)) as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        yield service


def url_of(service: RunningService) -> str:
    return service.base.replace("http", "ws") + "/connection/websocket"


def move(service: RunningService, price: float) -> None:
    service.feed(MarketUpdate("1.1", books=[a_quote("home", price), a_quote("away", price / (price - 1))]))


class App:
    """An application of the SDK in Node."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.seen: list[dict[str, Any]] = []

    def send(self, command: str, **fields: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **fields}).encode() + b"\n")

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read until the application sees something. Return that; `seen` has everything since the last call."""
        self.seen = []
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self._process.stdout.readline():
                self.seen.append(json.loads(line))
                if condition(self.seen[-1]):
                    return self.seen[-1]
        raise AssertionError(f"the application has ended: {self.seen}")

    async def what(self, what: str, **fields: Any) -> dict[str, Any]:
        """Read until the application sees this."""
        return await self.until(lambda each: each["what"] == what and fields.items() <= each.items())

    async def authenticate(self, token: str) -> None:
        """Return a token when it asks for one."""
        await self.what("token")
        self.send("token", token=token)

    async def message(self, op: str) -> dict[str, Any]:
        """Read until a publication is a message of the protocol."""
        found = await self.until(lambda each: each["what"] == "publication" and each["data"]["op"] == op)
        data: dict[str, Any] = found["data"]
        return data


@asynccontextmanager
async def application(folder: Path, service: RunningService) -> AsyncIterator[App]:
    process = await asyncio.create_subprocess_exec(
        *("node", "--experimental-websocket", "--no-warnings", str(_DRIVER), url_of(service)),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield App(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@needs_npm
async def test_the_javascript_sdk_follows_recovers_and_renews_its_token(service: RunningService, sdk: Path) -> None:
    async with application(sdk, service) as app:
        await app.authenticate(a_token(lasts_s=-5))
        assert 109 == (await app.what("error"))["code"], "expired: it asks for another one"
        await app.authenticate(a_token(lasts_s=4))
        await app.what("connected")
        for channel in ("event:e1", "sport:football", "market:e1/match_odds"):
            app.send("subscribe", channel=channel, data={"format": "decimal"})
        await app.what("subscribed", channel="market:e1/match_odds")
        app.send("unsubscribe", channel="market:e1/match_odds")
        await app.what("unsubscribed", channel="market:e1/match_odds", code=0)
        app.send("subscribe", channel="event:none")
        assert 102 == (await app.what("refused", channel="event:none"))["code"], "and it tries again"
        move(service, 2.2)
        delta = await app.message("delta")
        assert 2.08 == delta["markets"][0]["selections"]["home"]["price"]

        await app.authenticate(a_token())
        session = next(iter(service.hub.sessions))
        service.hub.end(session, 1012, "drain")
        await app.what("connecting", code=3001)
        move(service, 2.5)
        recovered = [await app.what("subscribed", recovered=True) for _ in range(2)]
        assert {"event:e1", "sport:football"} == {each["channel"] for each in recovered}, "of one shard and of two"
        assert "snapshot" not in {each["data"]["op"] for each in app.seen if each["what"] == "publication"}
        while 2.38 != (await app.message("delta"))["markets"][0]["selections"]["home"]["price"]:
            pass  # one of the channels may have missed the delta before as well


@needs_npm
async def test_a_refreshed_token_that_grants_less_ends_what_it_does_not_grant(service: RunningService, sdk: Path) -> None:
    async with application(sdk, service) as app:
        await app.authenticate(a_token(lasts_s=4))
        for channel in ("event:e1", "sport:football"):
            app.send("subscribe", channel=channel)
        await app.what("subscribed", channel="sport:football")
        await app.authenticate(a_token(channels=["event:*"]))
        ended = await app.what("unsubscribed")
        assert ("sport:football", 2000) == (ended["channel"], ended["code"])
        assert "connecting" not in {each["what"] for each in app.seen}
        app.send("subscribe", channel="competition:none")
        assert 103 == (await app.what("unsubscribed", channel="competition:none"))["code"]
    async with application(sdk, service) as app:
        await app.authenticate("nonsense")
        assert 3500 == (await app.what("disconnected"))["code"], "no reconnect"


class _Seen(centrifuge.SubscriptionEventHandler):  # type: ignore[misc] # as above
    def __init__(self) -> None:
        self.publications: asyncio.Queue[Any] = asyncio.Queue()
        self.recovered: list[bool] = []

    async def on_subscribed(self, ctx: Any) -> None:
        self.recovered.append(ctx.recovered)

    async def on_publication(self, ctx: Any) -> None:
        self.publications.put_nowait(ctx.pub.data)

    async def message(self, op: str) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while (data := await self.publications.get())["op"] != op:
                pass
        return data


async def test_the_python_sdk_follows_and_recovers(service: RunningService) -> None:
    client = centrifuge.Client(url_of(service), token=a_token(), proxy=None)
    seen = _Seen()
    subscription = client.new_subscription("event:e1", events=seen)
    await client.connect()
    await subscription.subscribe()
    snapshot = await seen.message("snapshot")
    assert "e1/match_odds" == snapshot["markets"][0]["id"]
    service.hub.end(next(iter(service.hub.sessions)), 1011, "fault")
    move(service, 2.2)
    assert 2.08 == (await seen.message("delta"))["markets"][0]["selections"]["home"]["price"]
    assert [False, True] == seen.recovered
    await client.disconnect()


async def closed_with(service: RunningService, *sent: str | bytes) -> int:
    async with asyncio.timeout(PATIENCE_S), connect(url_of(service)) as socket:
        try:
            for content in sent:
                await socket.send(content)
            while True:
                await socket.recv()
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd is not None else 1006


async def test_commands_share_frames_and_what_is_none_is_closed_with_a_code(service: RunningService) -> None:
    hello = json.dumps({"id": 1, "connect": {"token": a_token()}})
    async with connect(url_of(service)) as socket:
        subscribe = {"id": 2, "subscribe": {"channel": "event:e1"}}
        await socket.send(f'{hello}\n{json.dumps(subscribe)}\n{{"id":3,"ping":{{}}}}')
        replies = [json.loads(await socket.recv()) for _ in range(4)]
        assert {1, 2, 3} == {each["id"] for each in replies if "id" in each}
        assert {"ping": 25, "pong": True, "expires": True}.items() <= replies[0]["connect"].items()
    assert 3501 == await closed_with(service, "nonsense")
    assert 3501 == await closed_with(service, json.dumps(subscribe))
    assert 3501 == await closed_with(service, hello, hello)
    assert 3506 == await closed_with(service, hello, b"\x00")
    assert 3500 == await closed_with(service, '{"id":1,"connect":{}}')
    assert 3008 == await closed_with(service), "it tries again"
    async with service.http.get(service.base + "/connection/websocket") as response:
        assert 426 == response.status
