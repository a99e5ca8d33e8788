"""The documents are what a real gateway does: every route, every example, every message."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from oddsengine.common.http import UNKNOWN_ROUTE
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.commands.settings import CommandSettings
from oddsengine.gateway.documents.asyncapi import asyncapi
from oddsengine.gateway.documents.openapi import openapi, statuses
from oddsengine.gateway.documents.route import EVENT, EVENT_STREAM, JSON, Route
from oddsengine.gateway.documents.routes import ROUTES
from oddsengine.gateway.quotes.settings import QuoteSettings
from oddsengine.gateway.server.app import public_paths
from oddsengine.history.verification.checkpoints import generate_key
from oddsengine.runtime.processes.startup import Step
from oddsengine.streams.keys import shard_keys
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.documents.requests import bodies_of, example_of, offer_the_example
from tests.support.documents.schemas import answer_validator, message_validator, validate_answer
from tests.support.processes.command import get
from tests.support.processes.ports import free_port
from tests.support.processes.role import running
from tests.support.programs.npm import needs_npm, npm_install
from tests.support.service import PATIENCE_S, quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp
    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis
    from tests.support.service import RunningService

BY_NAME = {route.name: route for route in ROUTES}
#: What a gateway without a history and without a provider for its sign-in answers to the examples, where that is no success.
ELSEWHERE = {
    "open_stream": {400, 426},
    "open_centrifuge_stream": {400, 426},
    "describe_sign_in": {404},
    "exchange_tokens": {404},
    **{route.name: {503} for route in ROUTES if route.tag == "history"},
}
SECOND_PERSON = {"action": "note", "scope": {"event": EVENT}, "reason": "late line-ups"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("documents")
    # Loading what validates takes seconds on a busy machine: a gateway that stands still for so long is stale.
    answer_validator("get", "/healthz", "200")
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(folder / "key", SECRET)),))
    generate_key(folder / "quotes.pem")
    quotes = QuoteSettings(signing_key_file=str(folder / "quotes.pem"))
    commands = CommandSettings(second_person=("note",), per_s=0)
    settings = msgspec.structs.replace(quick_settings(auth=auth), commands=commands, quotes=quotes)
    # Imports jsonschema: on a busy machine that takes seconds, in which a running service would stand still.
    assert answer_validator("post", "/v1/quotes/check", "200") is not None
    async with running_service(settings) as found:
        await offer_the_example(found)
        yield found


@asynccontextmanager
async def asked(
    service: RunningService, route: Route, body: Any = None, author: str = "ann", **values: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Send the example of a route, as an admin."""
    example = example_of(route, **values)
    headers = {"Authorization": f"Bearer {a_token(sub=author, role='admin')}"} if route.role else {}
    data = example.body if body is None else orjson.dumps(body)
    async with service.http.request(example.method, service.base + example.target, data=data, headers=headers) as response:
        yield response


async def answer(service: RunningService, name: str, body: Any = None, **options: str) -> tuple[int, Any]:
    """Return the status of an answer and what it says, which is as documented."""
    route = BY_NAME[name]
    async with asked(service, route, body, **options) as response:
        assert str(response.status) in statuses(route), await response.text()
        if response.content_type.endswith("json"):
            found = await response.json(content_type=None)
            validate_answer(route.method, route.path, response.status, found)
            return response.status, found
        assert route.media == response.content_type
        if route.media == EVENT_STREAM:
            return response.status, await response.content.readuntil(b"\n\n")
        return response.status, await response.text()


@pytest.mark.asyncio(loop_scope="module")
async def test_every_example_is_answered_as_documented(service: RunningService) -> None:
    """Those of commands are of one that was made."""
    for body in bodies_of(BY_NAME["check_quotes"]):
        status, found = await answer(service, "check_quotes", body)
        assert (200, body.get("sign", False)) == (status, "signed" in found["quotes"][0]), body
    made: dict[str, str] = {}
    for route in ROUTES:
        if route.name in {"lift_command", "confirm_command"}:
            continue
        status, found = await answer(service, route.name)
        expected = ELSEWHERE.get(route.name, {int(each) for each in route.successes})
        assert status in expected, (route.name, status, found)
        if route.name == "make_command":
            made["id"] = found["id"]
    assert (409, "bad_request") == (
        (reply := await answer(service, "confirm_command", author="bob", **made))[0],
        reply[1]["error"]["code"],
    )
    status, lifted = await answer(service, "lift_command", **made)
    assert (200, "lifted") == (status, lifted["state"])
    status, proposed = await answer(service, "make_command", SECOND_PERSON)
    assert (202, "proposed") == (status, proposed["state"])
    assert 403 == (await answer(service, "confirm_command", id=proposed["id"]))[0]
    assert 200 == (await answer(service, "confirm_command", id=proposed["id"], author="bob"))[0]


_ASYNCAPI = "@asyncapi/specs@6.11.1"
_OTHER_ROLES = """
[redis]
url = "{url}"
[feeds.sim]
adapter = "simulator"
seed = 3
matches = 4
[feeds.sim.pace]
before_s = 10000.0
[auth]
anonymous_role = "trader"
"""


async def test_the_ports_of_other_roles_answer_as_documented(redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path) -> None:
    config = tmp_path / "odds.toml"
    config.write_text(_OTHER_ROLES.format(url=redis_server.url))
    ports = {"engine": free_port(), "feeder": free_port()}
    async with AsyncExitStack() as stack:
        roles = [await stack.enter_async_context(running(role, config, port=port)) for role, port in ports.items()]
        for role in roles:
            await role.reached(Step.READY)
        markets: list[Any] = []
        async with asyncio.timeout(PATIENCE_S):
            while not markets:
                fields: list[Any] = await redis.hkeys(shard_keys("odds", 0).snapshot)
                markets = [field.decode().removeprefix("m:") for field in fields if field.startswith(b"m:")]
                await asyncio.sleep(0.02)
        for role_name, port in ports.items():
            answered = []
            for route in ROUTES:
                if role_name not in route.served_by:
                    continue
                for key in ("none/none", markets[0]) if "{id}" in route.path else ("",):
                    status, found = await get(f"http://127.0.0.1:{port}{example_of(route, id=key).target}")
                    assert str(status) in statuses(route), (role_name, route.name, status)
                    if route.media == JSON:
                        validate_answer(route.method, route.path, status, found)
                    answered.append((route.name, status))
            assert {("get_readiness", 200), ("get_metrics", 200), ("list_feeds", 200)} <= {*answered}
            assert (role_name == "engine") == ({("explain_market", 404), ("explain_market", 200)} <= {*answered})


@pytest.mark.asyncio(loop_scope="module")
async def test_errors_are_answered_as_documented(service: RunningService) -> None:
    for name, status in {"get_event": 404, "get_market": 404, "explain_market": 404, "lift_command": 404}.items():
        assert status == (await answer(service, name, id="none/none"))[0], name
    assert 404 == (await answer(service, "get_snapshot", channel="event:none"))[0]
    assert 400 == (await answer(service, "get_event", format="roman"))[0]
    assert 400 == (await answer(service, "check_quotes", {}))[0]
    assert 400 == (await answer(service, "make_command", {}))[0]
    for route in ROUTES:
        if route.role and route.tag != "streams":
            async with service.http.request(
                route.method.upper(), service.base + example_of(route).target, data=b"{}"
            ) as response:
                validate_answer(route.method, route.path, 401, await response.json())
                assert 401 == response.status, route


@pytest.mark.asyncio(loop_scope="module")
async def test_every_message_is_as_documented(service: RunningService) -> None:
    """The examples of what clients send, answered; the rest of what a gateway sends by its own tests."""
    document = asyncapi()
    names = {each["name"]: name for name, each in document["components"]["messages"].items()}
    seen: set[str] = set()
    async with service.socket() as socket, asyncio.timeout(PATIENCE_S):
        await socket.send(op="auth", id=0, token=a_token(role="admin"))
        for name in ("Subscribe", "Unsubscribe", "Ping"):
            for example in document["components"]["messages"][name]["examples"]:
                await socket.send(**example["payload"])
        await socket.send(op="subscribe", id=7, channels=["console:commands", "console:feeds", "console:trouble"])
        while not {"welcome", "authenticated", "subscribed", "unsubscribed", "pong", "snapshot", "error", "live"} <= seen:
            message = await socket.receive()
            message_validator(names[message["op"]]).validate(message)
            seen.add(message["op"])
            if message["op"] == "pong":
                await socket.send(op="subscribe", id=8, channels=["event:none"])


@pytest.mark.asyncio(loop_scope="module")
async def test_messages_of_centrifuge_are_as_documented(service: RunningService) -> None:
    examples = [each["payload"] for each in asyncapi()["components"]["messages"]["CentrifugeCommand"]["examples"]]
    examples[0] = {"id": 1, "connect": {"token": a_token(role="admin")}}
    more = [
        {"id": 3, "subscribe": {"channel": "event:none"}},
        {"id": 4, "ping": {}},
        {"id": 5, "unsubscribe": {"channel": f"event:{EVENT}"}},
        {"id": 6, "publish": {}},
    ]
    replies: set[int] = set()
    pushes = 0
    async with connect(service.base.replace("http", "ws") + "/connection/websocket") as socket, asyncio.timeout(PATIENCE_S):
        await socket.send("\n".join(orjson.dumps(each).decode() for each in [*examples, *more]))
        while len(replies) < 6 or not pushes:
            for line in str(await socket.recv()).split("\n"):
                message = orjson.loads(line)
                is_push = "push" in message
                message_validator("CentrifugePush" if is_push else "CentrifugeReply").validate(message)
                pushes += is_push
                replies |= {message["id"]} if "id" in message else set()


@needs_npm
def test_asyncapi_itself_accepts_the_document(tmp_path: Path) -> None:
    """By the schema that its own tools validate with."""
    from jsonschema import Draft7Validator

    npm_install(tmp_path, _ASYNCAPI)
    schemas = tmp_path / "node_modules/@asyncapi/specs/schemas"
    validator = Draft7Validator(orjson.loads((schemas / "3.0.0-without-$id.json").read_bytes()))
    document = asyncapi()
    assert [] == [error.message for error in validator.iter_errors(document)]
    assert [*validator.iter_errors({**document, "chanels": {}})], "it finds a misspelt key"


@pytest.mark.asyncio(loop_scope="module")
async def test_an_event_is_as_documented(service: RunningService) -> None:
    _, event = await answer(service, "follow_events")
    (data,) = [line.removeprefix(b"data: ") for line in event.split(b"\n") if line.startswith(b"data: ")]
    message_validator("Welcome").validate(orjson.loads(data))


@pytest.mark.asyncio(loop_scope="module")
async def test_every_route_that_is_served_is_in_the_document_and_the_other_way_round(service: RunningService) -> None:
    pages = public_paths() - {"/docs/openapi.json", "/docs/asyncapi.json"}
    for alias, document in {"/openapi.json": openapi(root="."), "/asyncapi.json": asyncapi()}.items():
        async with service.http.get(service.base + alias) as response:
            assert document == await response.json()
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in service.gateway.app.router.routes()
        if route.resource is not None and route.method not in {"HEAD", "*", "OPTIONS"}
    }
    documented = {(route.method, route.path) for route in ROUTES}
    unknown = UNKNOWN_ROUTE.path.replace(":.*", "")
    assert documented == {(method, path) for method, path in served if path not in {*pages, unknown}}
    assert openapi() == (await answer(service, "get_openapi"))[1]
    assert asyncapi() == (await answer(service, "get_asyncapi"))[1]
    assert answer_validator("get", "/v1/sse", "200") is None
