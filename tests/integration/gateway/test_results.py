"""Results as clients see them: on the stream, over HTTP, and after their event has left the offer; through a real Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from redis.asyncio import Redis

from oddsengine.client import OddsState
from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.domain.results import HALF_LOST, HALF_WON, SelectionResult
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.protocol.server_messages import MarketAnswer
from oddsengine.streams.keys import shard_keys
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import RunningService, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from pathlib import Path

MARKET = "e1/match_odds"
PATH = "/v1/markets/e1%2Fmatch_odds"


async def settle(service: RunningService, **results: Any) -> None:
    """Close the market with these results, by selection: a status, or a result beyond it."""
    definition = a_definition(status="closed")
    selections = [
        msgspec.structs.replace(selection, status=said.outcome, result=said)
        if isinstance(said := results[selection.key], SelectionResult)
        else msgspec.structs.replace(selection, status=said)
        for selection in definition.selections
    ]
    service.feed(MarketUpdate("1.1", definition=msgspec.structs.replace(definition, selections=tuple(selections))))
    await service.wait_published()


async def opened(service: RunningService) -> None:
    service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
    await service.wait_published()


async def leave(service: RunningService) -> None:
    """Remove the event from the offer now."""
    service.engine.pipeline.retire(0, 0, 0)
    service.engine.writers[0].wake()
    await wait_until(lambda: not service.hub.replica.offers[0].events, "the removal")


def results(market: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    fields = ("status", "price", "result", "void_factor", "dead_heat_factor")
    return {key: tuple(selection[field] for field in fields) for key, selection in market["selections"].items()}


async def test_results_are_given_revised_and_taken_back_on_the_stream() -> None:
    async with running_service() as service, service.socket() as socket:
        await opened(service)
        await socket.subscribe("event:e1")
        state = OddsState()
        state.apply(await socket.receive_until("snapshot"))
        version = state.markets[MARKET]["v"]
        assert "Moneyline" == state.markets[MARKET]["name"]
        assert "result" not in state.markets[MARKET]["selections"]["home"]

        await settle(service, home="winner", away="loser")
        state.apply(await socket.receive_until("delta"))
        won, lost = ("winner", None, "winner", 0, 1), ("loser", None, "loser", 0, 1)
        assert (version + 1, "closed") == (state.markets[MARKET]["v"], state.markets[MARKET]["status"])
        assert {"home": won, "away": lost} == results(state.markets[MARKET])
        assert await service.get(PATH) == state.markets[MARKET]

        await settle(service, home=HALF_LOST, away=HALF_WON)
        state.apply(await socket.receive_until("delta"))
        expected = {"home": ("loser", None, "loser", 0.5, 1), "away": ("winner", None, "winner", 0.5, 1)}
        assert (version + 2, expected) == (state.markets[MARKET]["v"], results(state.markets[MARKET]))
        assert await service.get(PATH) == state.markets[MARKET]

        await opened(service)
        state.apply(await socket.receive_until("delta"))
        assert (version + 3, "open") == (state.markets[MARKET]["v"], state.markets[MARKET]["status"])
        assert {("active", 1.9, None, None, None)} == set(results(state.markets[MARKET]).values())
        assert await service.get(PATH) == state.markets[MARKET]


async def test_a_market_answers_after_its_event_has_left_the_offer() -> None:
    async with running_service() as service:
        await opened(service)
        await settle(service, home="winner", away="loser")
        on_offer = await service.get(PATH)
        await leave(service)
        await service.get("/v1/events/e1", 404)
        found = await service.get(PATH)
        assert {**on_offer, "on_offer": False} == found
        msgspec.convert(found, MarketAnswer)
        assert "not_found" == (await service.get("/v1/markets/e2%2Fmatch_odds", 404))["error"]["code"]
        async with Redis.from_url(service.settings.redis.url) as redis:
            left_ms = await redis.pttl(shard_keys(service.settings.redis.namespace, 0).result(MARKET))
        assert left_ms == pytest.approx(604_800_000, abs=60_000)

        await settle(service, home="loser", away="winner")
        revised = await service.get(PATH)
        assert (on_offer["v"] + 1, "loser") == (revised["v"], revised["selections"]["home"]["result"])
        assert "on_offer" not in revised


async def test_results_are_kept_as_long_as_configured() -> None:
    settings = quick_settings()
    engine = msgspec.structs.replace(settings.engine, results_ttl_s=0)
    async with running_service(msgspec.structs.replace(settings, engine=engine)) as service:
        await opened(service)
        await settle(service, home="winner", away="loser")
        await leave(service)
        await service.get(PATH, 404)


async def test_results_are_answered_to_whom_the_market_was_granted(tmp_path: Path) -> None:
    key = KeySettings(algorithm="HS256", file=write_key(tmp_path / "secret", SECRET))
    async with running_service(quick_settings(auth=AuthSettings(keys=(key,)))) as service:
        await opened(service)
        await settle(service, home="winner", away="loser")
        await leave(service)
        for channels, status in ((["competition:cup"], 200), ([f"market:{MARKET}"], 200), (["sport:tennis", "event:e2"], 404)):
            headers = {"Authorization": f"Bearer {a_token(channels=channels)}"}
            async with service.http.get(service.base + PATH, headers=headers) as response:
                assert status == response.status, channels
