"""Commands over HTTP: made, published, confirmed, lifted, and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import orjson
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from oddsengine.client.commands import CommandClient
from oddsengine.domain.feed_updates import EventUpdate
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.commands.settings import CommandSettings
from oddsengine.gateway.documents.openapi import openapi
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.runtime.gateway import run_gateway
from oddsengine.runtime.service import run_service
from oddsengine.runtime.settings import RedisSettings
from oddsengine.streams.keys import command_keys
from tests.support.builders import a_definition, a_quote, an_event, live, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import (
    QUICK_TIMING,
    RunningService,
    publish_once,
    quick_settings,
    running_service,
    shared_redis,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MARKET = "e1/match_odds"
SUSPENSION = {"action": "suspend", "scope": {"event": "e1"}, "reason": "red card"}


class Floor:
    """A service with one open market, and people who command it.

    Args:
        service: the service.
    """

    def __init__(self, service: RunningService) -> None:
        self.service = service

    async def ask(self, method: str, path: str, body: Any = None, *, status: int, who: str | None = None, **headers: str) -> Any:
        """Send a request as somebody, check the status, and return the JSON body."""
        if who is not None:
            headers["Authorization"] = f"Bearer {who}"
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes | None) else orjson.dumps(body)
        async with self.service.http.request(method, self.service.base + path, data=data, headers=headers) as response:
            assert status == response.status, await response.text()
            return orjson.loads(await response.read())

    async def make(self, *, status: int = 201, who: str | None = None, headers: dict[str, str] | None = None, **body: Any) -> Any:
        """Make a command: a suspension of the event, unless the body says otherwise."""
        return await self.ask("POST", "/v1/commands", {**SUSPENSION, **body}, status=status, who=who, **(headers or {}))

    async def state(self, who: str | None = None) -> tuple[str, str | None]:
        """Return what is published of the market."""
        market = await self.ask("GET", f"/v1/markets/{MARKET}", status=200, who=who)
        return market["status"], market["reason"]


OPEN, TRADER = ("open", None), ("suspended", "trader")


async def opened(service: RunningService) -> Floor:
    service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
    await service.wait_published()
    return Floor(service)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor() -> AsyncIterator[Floor]:
    settings = msgspec.structs.replace(quick_settings(shards=2), commands=CommandSettings(per_s=0))
    async with running_service(settings) as service:
        yield await opened(service)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_suspension_reaches_subscribers_and_is_lifted(floor: Floor) -> None:
    async with floor.service.socket() as socket:
        await socket.subscribe("event:e1")
        made = await floor.make()
        message = await socket.receive_until("delta")
        assert [TRADER] == [(each["status"], each["reason"]) for each in message["markets"]]
        assert ("applied", "anonymous", [message["at"]]) == (made["state"], made["author"], list(made["at"].values()))
        path = f"/v1/commands/{made['id']}"
        active = await floor.ask("GET", "/v1/commands?active=true", status=200)
        assert [(made["id"], "active")] == [(each["id"], each["state"]) for each in active["commands"]]
        for _ in range(2):
            lifted = await floor.ask("DELETE", path, status=200)
            assert ("lifted", "anonymous") == (lifted["state"], lifted["lifted_by"])
        assert OPEN == await floor.state()
        assert {"commands": []} == await floor.ask("GET", "/v1/commands?active=true", status=200)
        ended = await floor.ask("GET", "/v1/commands?active=false", status=200)
        assert made["id"] in {each["id"] for each in ended["commands"]}


@pytest.mark.asyncio(loop_scope="module")
async def test_the_list_has_pages(floor: Floor) -> None:
    made = [(await floor.make(action="note", reason=f"note {number}"))["id"] for number in range(3)]
    listed, after = [], ""
    while True:
        page = await floor.ask("GET", f"/v1/commands?active=true&limit=2{after}", status=200)
        assert len(page["commands"]) <= 2
        listed += [each["id"] for each in page["commands"]]
        if "next" not in page:
            break
        after = f"&after={page['next']}"
    assert made[::-1] == listed
    async with CommandClient(floor.service.base) as client:
        assert made[::-1] == [each["id"] for each in await client.commands(active=True)]
    for wrong, words in (
        ("limit=0", "1 to 1000"),
        ("limit=1001", "1 to 1000"),
        ("after=c1", "`next`"),
        ("pages=1", "active, after"),
    ):
        assert words in (await floor.ask("GET", f"/v1/commands?{wrong}", status=400))["error"]["message"]
    for key in made:
        await floor.ask("DELETE", f"/v1/commands/{key}", status=200)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_command_for_all_is_published_in_every_shard(floor: Floor) -> None:
    made = await floor.make(scope={"all": True}, expires=60)
    assert {"0", "1"} == made["at"].keys()
    await floor.ask("DELETE", f"/v1/commands/{made['id']}", status=200)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_repeated_request_makes_one_command(floor: Floor) -> None:
    first, second = [await floor.make(headers={"Idempotency_Key": "k1"}) for _ in range(2)]
    assert first["id"] == second["id"]
    await floor.make(headers={"Idempotency_Key": "k1"}, reason="another", status=422)
    await floor.ask("DELETE", f"/v1/commands/{first['id']}", status=200)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_limit_is_part_of_the_market(floor: Floor) -> None:
    made = await floor.make(action="limit", values=25)
    path = f"/v1/markets/{MARKET}"
    assert 25.0 == (await floor.ask("GET", path, status=200))["limit"]
    await floor.ask("DELETE", f"/v1/commands/{made['id']}", status=200)
    assert (await floor.ask("GET", path, status=200))["limit"] is None


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "headers"),
    [
        ("POST", "/v1/commands", b"{", 400, {}),
        ("POST", "/v1/commands", {"action": "suspend", "scope": {}}, 400, {}),
        ("POST", "/v1/commands", b" " * 70_000, 413, {}),
        ("POST", "/v1/commands", SUSPENSION, 400, {"Idempotency_Key": "k" * 201}),
        ("POST", "/v1/commands", SUSPENSION, 403, {"Origin": "https://elsewhere.example"}),
        ("POST", "/v1/commands", {"action": "price", "scope": {"market": MARKET}, "values": {"home": 2}, "force": True}, 403, {}),
        ("GET", "/v1/commands?active=maybe", None, 400, {}),
        ("GET", "/v1/commands?author=ann", None, 400, {}),
        ("DELETE", "/v1/commands/none", None, 404, {}),
        ("POST", "/v1/commands/none/confirm", None, 404, {}),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_refused_has_no_effect(
    floor: Floor, method: str, path: str, body: Any, status: int, headers: dict[str, str]
) -> None:
    answer = await floor.ask(method, path, body, status=status, **headers)
    assert answer["error"]["message"]
    assert OPEN == await floor.state()


@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_ends_at_a_kick_off_that_has_been(floor: Floor) -> None:
    floor.service.feed(EventUpdate(an_event("e9", in_play=True)))
    await floor.service.wait_published()
    refused = await floor.make(scope={"event": "e9"}, expires="kick_off", status=400)
    assert "in play" in refused["error"]["message"]


@pytest.mark.parametrize(
    ("body", "markets", "words"),
    [
        ({}, 1, ""),
        ({"scope": {"all": True}}, 1, ""),
        ({"scope": {"competition": "cup"}}, 1, ""),
        ({"scope": {"sport": "footbal"}}, 0, "(did you mean 'football'?)"),
        ({"scope": {"competition": "Cup"}}, 0, "(did you mean 'cup'?)"),
        ({"scope": {"event": "e11"}}, 0, "not on offer under this id (did you mean 'e1'?)"),
        ({"scope": {"market": "e1/match_od"}}, 0, "(did you mean 'e1/match_odds'?)"),
        ({"scope": {"event": "e1", "types": ["total"]}}, 0, "is of the type total now"),
        ({"scope": {"event": "e1", "in_play": True}}, 0, "is in play now"),
        (
            {"scope": {"event": "e1", "types": ["match_odds"]}, "action": "price", "values": {"draw": 3}},
            0,
            "of the type match_odds",
        ),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_an_answer_says_how_much_a_command_holds_for(floor: Floor, body: dict[str, Any], markets: int, words: str) -> None:
    made = await floor.make(**body, expires=60)
    await floor.ask("DELETE", f"/v1/commands/{made['id']}", status=200)
    assert (markets, min(markets, 1)) == (made["markets"], made["events"])
    assert words in "".join(made["warnings"])
    assert bool(words) == bool(made["warnings"])


@pytest.mark.asyncio(loop_scope="module")
async def test_a_selection_that_no_market_of_the_type_can_have_is_refused(floor: Floor) -> None:
    refused = await floor.make(action="price", scope={"market": MARKET}, values={"hoem": 2}, status=400)
    assert "a selection 'hoem': they have home, away; did you mean 'home'?" in refused["error"]["message"]
    await floor.make(action="price", scope={"event": "e1", "types": ["total"]}, values={"home": 2}, status=400)
    await floor.make(scope={"selection": f"{MARKET}/hom"}, status=400)
    await floor.make(action="result", scope={"market": "e7/total/ft/2.5"}, values={"home": "winner"}, status=400)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_page_of_this_server_may_command(floor: Floor) -> None:
    made = await floor.make(headers={"Origin": floor.service.base})
    await floor.ask("DELETE", f"/v1/commands/{made['id']}", status=200)


@pytest.mark.asyncio(loop_scope="module")
async def test_explanations_name_author_reason_and_expiry(floor: Floor) -> None:
    made = await floor.make(expires=60)
    explained = await floor.ask("GET", f"/v1/markets/{MARKET}/explain", status=200)
    (command,) = explained["commands"]
    assert ("anonymous", "red card", made["expires"]) == (command["author"], command["reason"], command["expires"])
    await floor.ask("DELETE", f"/v1/commands/{made['id']}", status=200)


async def test_tokens_command_what_they_grant(tmp_path: Path) -> None:
    key = KeySettings(algorithm="HS256", file=write_key(tmp_path / "secret", SECRET))
    settings = quick_settings(auth=AuthSettings(keys=(key,)), profiles={"default": Profile(), "gold": Profile()})
    settings = msgspec.structs.replace(settings, commands=CommandSettings(second_person=("price",)))

    def token(sub: str, **claims: Any) -> str:
        return a_token(**{"sub": sub, "role": "trader", **claims})

    async with running_service(settings) as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        floor = Floor(service)
        await floor.make(status=401)
        await floor.make(status=403, who=token("s", role="service"))
        await floor.make(status=403, who=token("n", commands=["note:*", "suspend:sport:tennis"]))
        await floor.make(status=403, who=token("c", channels=["sport:tennis"]))
        for name in ("default", "none"):
            refused = await floor.make(status=403, who=token("g", profile="gold"), scope={"event": "e1", "profiles": [name]})
            assert f"the token is of the profile gold, not of {name}" == refused["error"]["message"]
        await floor.make(status=403, who=token("r", profile="removed"))
        await floor.make(status=403, who=token("g", profile="gold"), action="unresult")
        pair: dict[str, Any] = {"action": "match", "scope": {"event": "a.1"}, "values": "b.1"}
        half = token("m", commands=["match:event:a.*"])
        await floor.make(status=403, who=half, **pair)

        gold, default = token("g", profile="gold"), token("d", profile="default")
        made = await floor.make(who=gold)
        assert (["gold"], TRADER, OPEN) == (made["scope"]["profiles"], await floor.state(gold), await floor.state(default))
        await floor.ask("DELETE", f"/v1/commands/{made['id']}", status=404, who=default)
        assert {"commands": []} == await floor.ask("GET", "/v1/commands", status=200, who=default)
        explained = {
            name: await floor.ask("GET", f"/v1/markets/{MARKET}/explain", status=200, who=who)
            for name, who in (("gold", gold), ("default", default))
        }
        assert {"gold": 1, "default": 0} == {name: len(each["commands"]) for name, each in explained.items()}
        await floor.ask("DELETE", f"/v1/commands/{made['id']}", status=200, who=gold)

        ann, bob = token("ann", commands=["*:sport:football"]), token("bob")
        price: dict[str, Any] = {"action": "price", "scope": {"market": MARKET}, "values": {"home": 1.8}}
        proposed = await floor.make(status=202, who=ann, **price)
        assert "proposed" == proposed["state"]
        await floor.ask("POST", f"/v1/commands/{proposed['id']}/confirm", status=403, who=ann)
        confirmed = await floor.ask("POST", f"/v1/commands/{proposed['id']}/confirm", status=200, who=bob)
        assert ("applied", "bob") == (confirmed["state"], confirmed["confirmed_by"])
        market = await floor.ask("GET", f"/v1/markets/{MARKET}", status=200, who=bob)
        assert 1.8 == market["selections"]["home"]["price"]

        settled = await floor.make(who=token("both"), **pair)
        await floor.ask("DELETE", f"/v1/commands/{settled['id']}", status=403, who=half)
        forced = await floor.make(status=202, who=token("adm", role="admin"), force=True, **price)
        await floor.ask("POST", f"/v1/commands/{forced['id']}/confirm", status=403, who=bob)
        await floor.ask("POST", f"/v1/commands/{forced['id']}/confirm", status=200, who=token("adm2", role="admin"))
        await floor.make(who=token("ann:x"), headers={"Idempotency_Key": "k"})
        # Another person and another key, which were one request if subject and key were only joined.
        await floor.make(who=token("ann"), headers={"Idempotency_Key": "x:k"}, reason="another")


async def test_commands_that_redis_has_lost_hold_and_are_written_again() -> None:
    async with running_service(own_redis=True) as service:
        floor = await opened(service)
        await floor.make()
        async with Redis.from_url(service.redis_url) as redis:
            await redis.delete(*command_keys(service.settings.redis.namespace))
        body = orjson.dumps({**SUSPENSION, "action": "limit", "values": 9})
        async with service.http.post(f"{service.base}/v1/commands", data=body) as response:
            # Its number in the log is one that was obeyed already: that of another command, which is lost.
            is_applied = (await response.json())["state"] == "applied"
        assert not is_applied or 9 == (await floor.ask("GET", f"/v1/markets/{MARKET}", status=200))["limit"]
        await wait_until(lambda: service.engine.commands.losses == 1, "the commands written again")
        active = await floor.ask("GET", "/v1/commands?active=true", status=200)
        assert 2 == len(active["commands"])
        made = await floor.make(action="note", reason="seen")
        assert "applied" == made["state"]
        assert TRADER == await floor.state()


async def test_a_suspension_survives_a_restart_and_the_loss_of_the_log() -> None:
    """No market opens for a moment, and it is lifted by another process than the one that it was made in."""
    redis = RedisSettings(url=shared_redis.url(), namespace=shared_redis.new_namespace())
    settings = msgspec.structs.replace(quick_settings(), redis=redis)
    key = ""
    for run in range(2):
        async with run_service(settings, ("src",), timing=QUICK_TIMING) as running, aiohttp.ClientSession() as http:
            service = RunningService(running, http, settings)
            await wait_until(lambda: running.hub.replica.ready, "readiness")
            running.engine.receive(live())
            floor = await opened(service)
            if run == 0:
                key = (await floor.make())["id"]
                async with Redis.from_url(redis.url) as client:
                    await client.xtrim(command_keys(redis.namespace).log, maxlen=0)
            assert TRADER == await floor.state()
            if run == 1:
                lifted = await floor.ask("DELETE", f"/v1/commands/{key}", status=200)
                assert ("lifted", OPEN) == (lifted["state"], await floor.state())


def test_the_answers_are_documented() -> None:
    paths = openapi()["paths"]
    assert {"200", "202"} <= paths["/v1/commands/{id}"]["delete"]["responses"].keys()
    assert {"201", "202"} <= paths["/v1/commands"]["post"]["responses"].keys()


async def test_a_command_that_nobody_obeys_yet_is_pending(redis: Redis, redis_server: Any) -> None:
    settings = quick_settings()
    await publish_once(redis, settings, "e1")
    async with run_gateway(settings, redis_server.url) as gateway, aiohttp.ClientSession() as http:
        await wait_until(lambda: not gateway.hub.replica.unloaded(), "the snapshot")
        async with http.post(f"http://127.0.0.1:{gateway.port}/v1/commands", data=orjson.dumps(SUSPENSION)) as response:
            made = await response.json()
        assert (202, "pending", {}) == (response.status, made["state"], made["at"])
