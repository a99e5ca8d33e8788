"""Who may do what: every route and channel by role, every action by what a token grants. The documents are the table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import orjson
import pytest

from oddsengine.commands.command import ACTIONS
from oddsengine.gateway.access.grants import Role
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.commands.settings import CommandSettings
from oddsengine.gateway.console.channels import CHANNELS as CONSOLE_CHANNELS
from oddsengine.gateway.documents.routes import ROUTES
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import RunningService, quick_settings, running_service

if TYPE_CHECKING:
    from pathlib import Path

MARKET = "e1/match_odds"
SCOPES: dict[str, dict[str, Any]] = {
    "all": {"all": True},
    "sport": {"sport": "football"},
    "competition": {"competition": "cup"},
    "event": {"event": "e1"},
    "market": {"market": MARKET},
    "selection": {"selection": f"{MARKET}/home"},
}
#: what makes each action valid where its scope is
VALUES: dict[str, Any] = {
    "price": {"home": 1.5},
    "shift": {"home": 0.01},
    "book_sum": 1.1,
    "limit": 10,
    "bet_delay_s": 5,
    "result": "void",
    "match": "other.1",
    "unmatch": "other.1",
}


def settings_of(folder: Path) -> Any:
    key = KeySettings(algorithm="HS256", file=write_key(folder / "secret", SECRET))
    return msgspec.structs.replace(quick_settings(auth=AuthSettings(keys=(key,))), commands=CommandSettings(per_s=0))


async def answer(service: RunningService, method: str, path: str, token: str | None, body: Any = None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    data = None if body is None else orjson.dumps(body)
    async with service.http.request(method, service.base + path, data=data, headers=headers) as response:
        return response.status


async def with_a_market(service: RunningService) -> None:
    service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
    await service.wait_published()


async def test_every_route_is_for_its_role_and_those_above(tmp_path: Path) -> None:
    async with running_service(settings_of(tmp_path)) as service:
        await with_a_market(service)
        for route in ROUTES:
            if not route.role or route.answer is None:  # open to all, or a socket
                continue
            path = route.path.replace("{id}", MARKET if "markets" in route.path else "e1")
            path += "?channel=event:e1" if any(each.name == "channel" for each in route.parameters) else ""
            body: dict[str, Any] | None = {} if route.method == "post" else None
            assert 401 == await answer(service, route.method, path, None, body), route
            for role in Role:
                status = await answer(service, route.method, path, a_token(sub=role.name, role=role.name), body)
                assert (role < Role[route.role]) == (status == 403), (route, role)
                assert status != 401


CHANNELS = {
    "sport:football": Role.subscriber,
    "competition:cup": Role.subscriber,
    "event:e1": Role.subscriber,
    f"market:{MARKET}": Role.subscriber,
    **dict.fromkeys(CONSOLE_CHANNELS, Role.trader),
}


async def test_every_channel_is_for_its_role_and_those_above(tmp_path: Path) -> None:
    async with running_service(settings_of(tmp_path)) as service:
        await with_a_market(service)
        for role in Role:
            headers = {"Authorization": f"Bearer {a_token(sub=role.name, role=role.name)}"}
            async with service.socket(additional_headers=headers) as socket:
                await socket.receive_until("welcome")
                await socket.send(op="subscribe", id=1, channels=list(CHANNELS))
                await socket.send(op="ping", id=2)
                granted: set[str] = set()
                while (message := await socket.receive())["op"] != "pong":
                    granted |= set(message["channels"]) if message["op"] == "subscribed" else set()
            assert {name for name, least in CHANNELS.items() if role >= least} == granted, role
            assert (200 if role >= Role.trader else 403) == await answer_of_event_stream(service, role)


async def answer_of_event_stream(service: RunningService, role: Role) -> int:
    headers = {"Authorization": f"Bearer {a_token(role=role.name)}"}
    async with service.http.head(f"{service.base}/v1/sse?channel=console:feeds", headers=headers) as response:
        return response.status


@pytest.mark.parametrize(
    ("claims", "granted"),
    [
        ({}, {"*:*"}),
        ({"commands": []}, set()),
        ({"commands": ["suspend:*"]}, {"suspend:*"}),
        ({"commands": ["*:event:e1"]}, {"*:event", "*:market", "*:selection"}),
        ({"commands": ["*:sport:football"]}, {"*:sport", "*:event", "*:market", "*:selection"}),
        ({"commands": ["limit:all"]}, {"limit:all"}),
        ({"channels": ["event:e1"]}, {"*:event", "*:market", "*:selection"}),
        ({"role": "admin", "commands": []}, {"*:*"}),
        ({"role": "service"}, set()),
    ],
)
async def test_every_action_in_every_scope_is_made_where_it_is_granted(
    tmp_path: Path, claims: dict[str, Any], granted: set[str]
) -> None:
    async with running_service(settings_of(tmp_path)) as service:
        await with_a_market(service)
        token = a_token(**{"sub": "ann", "role": "trader", **claims})
        for action in ACTIONS:
            for kind, scope in SCOPES.items():
                values = VALUES.get(action)
                types = {"types": ["moneyline"]} if action == "price" and kind == "event" else {}
                if kind == "selection" and isinstance(values, dict):
                    values = values["home"]
                body = {"action": action, "scope": {**scope, **types}, "expires": 60, "reason": "try"}
                body |= {} if values is None else {"values": values}
                status = await answer(service, "post", "/v1/commands", token, body)
                if status == 400:
                    continue  # the action is not for this kind of scope, whoever asks
                # Of a pair, both events must be granted.
                names = {"*:*"} if action in {"match", "unmatch"} else {"*:*", f"{action}:*", f"*:{kind}", f"{action}:{kind}"}
                matches = names & granted
                assert bool(matches) == (status in {201, 202}), (action, kind, status)


async def test_another_brand_is_neither_seen_nor_touched(tmp_path: Path) -> None:
    """Whatever a token of one profile may ask for of the commands of another one."""
    async with running_service(settings_of(tmp_path)) as service:
        await with_a_market(service)
        default = a_token(sub="d", role="trader", profile="default")
        admin = a_token(sub="root", role="admin")
        body = {"action": "suspend", "scope": {"event": "e1", "profiles": ["default"]}}
        headers = {"Authorization": f"Bearer {default}"}
        async with service.http.post(service.base + "/v1/commands", data=orjson.dumps(body), headers=headers) as made:
            key = (await made.json())["id"]
        gold = a_token(sub="g", role="trader", profile="gold")
        assert 404 == await answer(service, "delete", f"/v1/commands/{key}", gold)
        assert 404 == await answer(service, "post", f"/v1/commands/{key}/confirm", gold)
        assert 403 == await answer(service, "post", "/v1/commands", gold, body)
        for token, names in ((gold, []), (default, ["default"]), (admin, ["default"])):
            async with service.http.get(service.base + "/v1/profiles", headers={"Authorization": f"Bearer {token}"}) as found:
                assert names == (await found.json())["profiles"]
        for token, count in ((gold, 0), (default, 1), (admin, 1)):
            async with aiohttp.ClientSession() as http:
                found = await http.get(service.base + "/v1/commands", headers={"Authorization": f"Bearer {token}"})
                assert count == len((await found.json())["commands"])


def has(text: bytes, number: bytes) -> bool:
    """Check whether a text has a number, and not only within another one, or within a time such as 12:00:51.700Z."""
    return re.search(rb"(?<![\d.])%s(?!\d)" % re.escape(number), text) is not None


async def test_another_brands_prices_are_nowhere(tmp_path: Path) -> None:
    """By whatever a token of one profile asks: the other one has other prices, and a price of its own from a person."""
    settings = msgspec.structs.replace(settings_of(tmp_path), profiles={"default": Profile(), "gold": Profile(book_sum=1.2)})
    async with running_service(settings) as service:
        await with_a_market(service)
        for sub, profile in (("d", "default"), ("g", "gold")):
            body = {"action": "price", "scope": {"market": MARKET}, "values": {"home": 1.5 if profile == "gold" else 1.7}}
            assert 201 == await answer(service, "post", "/v1/commands", a_token(sub=sub, role="trader", profile=profile), body)
        both = {"action": "limit", "scope": {"market": MARKET, "profiles": ["default", "gold"]}, "values": 9}
        assert 201 == await answer(service, "post", "/v1/commands", a_token(sub="root", role="admin"), both)
        for profile, own, foreign in (("default", b"1.7", b"1.5"), ("gold", b"1.5", b"1.7")):
            other = b'"gold"' if profile == "default" else b'"default"'
            headers = {"Authorization": f"Bearer {a_token(sub=profile, role='trader', profile=profile)}"}
            quotes = {"quotes": [{"market": MARKET, "selection": "home", "price": 9.9, "v": 1}]}
            for method, path, sent in (
                ("get", f"/v1/markets/{MARKET}", None),
                ("get", f"/v1/markets/{MARKET}/explain", None),
                ("get", "/v1/events/e1", None),
                ("get", "/v1/snapshot?channel=event:e1", None),
                ("get", "/v1/commands", None),
                ("post", "/v1/quotes/check", quotes),
            ):
                data = None if sent is None else orjson.dumps(sent)
                async with service.http.request(method, service.base + path, headers=headers, data=data) as found:
                    text = await found.read()
                assert (200, True, False) == (found.status, has(text, own), has(text, foreign)), (profile, path, text)
                assert other not in text, (profile, path, text)
            async with service.socket(additional_headers=headers) as socket:
                await socket.subscribe("console:commands")
                named = [each["scope"]["profiles"] for each in (await socket.receive_until("snapshot"))["commands"]]
                assert [[profile], [profile]] == named
                await socket.subscribe("event:e1")
                (market,) = (await socket.receive_until("snapshot"))["markets"]
                assert float(own) == market["selections"]["home"]["price"]


async def test_a_client_can_ask_who_it_is(tmp_path: Path) -> None:
    async with running_service(settings_of(tmp_path)) as service:
        await with_a_market(service)

        async def me(**claims: Any) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {a_token(**claims)}"}
            async with service.http.get(service.base + "/v1/me", headers=headers) as found:
                return dict(orjson.loads(await found.read()))

        trader = await me(sub="ann", role="trader", commands=["suspend:*"], channels=["sport:football"], exp=2_000_000_000)
        assert ("ann", "trader", ["suspend:*"], ["sport:football"]) == tuple(
            trader[name] for name in ("sub", "role", "commands", "channels")
        )
        assert ("default", ["default"], "2033-05-18T03:33:30.000Z") == (trader["profile"], trader["profiles"], trader["expires"])
        subscriber = await me(sub="s", role="subscriber", profile="gold")
        assert ([], "gold", ["gold"]) == (subscriber["commands"], subscriber["profile"], subscriber["profiles"])
        assert ["*"] == (await me(sub="root", role="admin", commands=[]))["commands"]
