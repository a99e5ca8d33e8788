"""A person's suspension holds whatever dies, ends with what is true then, and is told to webhooks."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import orjson
import pytest

from oddsengine.runtime.gateway import GatewayService, run_gateway
from oddsengine.runtime.settings import RedisSettings
from tests.support.clients.webhook_receiver import SECRET, Receiver, receiving, verify
from tests.support.processes.command import command
from tests.support.processes.ports import free_port
from tests.support.redis.topologies import watched_primary
from tests.support.service import QUICK_TIMING, quick_settings, wait_until
from tests.support.tasks import in_background

if TYPE_CHECKING:
    from pathlib import Path

#: Matches in play with a goal every few seconds, at which the provider suspends its markets and opens them again.
CONFIG = """
[redis]
url = "{url}"
[engine]
port = {port}
lease_s = 1.0
cross_market_guard = false
[profiles.default]
[feeds.sim]
adapter = "simulator"
matches = 4
[feeds.sim.pace]
minutes_per_s = 1.0
before_s = 1.0
turning_s = 0.3
goal_s = 0.3
[[webhooks]]
url = "{hook}"
secret = "{secret}"
"""


class Floor:
    """A gateway of this process, and who commands through it.

    Args:
        gateway: the gateway.
        http: a client.
    """

    def __init__(self, gateway: GatewayService, http: aiohttp.ClientSession) -> None:
        self._gateway = gateway
        self._http = http
        #: whether a market may be open, and those that were although they may not
        self.may_open = True
        self.opened: set[str] = set()

    @property
    def offer(self) -> Any:
        return self._gateway.hub.replica.offers[0]

    def states(self) -> set[tuple[str, str | None]]:
        return {(each.state.status, each.state.reason) for each in self.offer.markets.values() if each.state.status != "closed"}

    async def watch(self) -> None:
        """Note every market that is open although it may not be."""
        while True:
            if not self.may_open:
                self.opened |= {each.id for each in self.offer.markets.values() if each.state.status == "open"}
            await asyncio.sleep(0.005)

    async def ask(self, method: str, path: str = "", body: Any = None) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self._gateway.port}/v1/commands{path}"
        async with self._http.request(method, url, data=None if body is None else orjson.dumps(body)) as response:
            return response.status, orjson.loads(await response.read())

    async def published(self, epoch: int) -> None:
        """Wait until an owner has opened another epoch, and the gateway is current."""
        replica = self._gateway.hub.replica
        await wait_until(lambda: self.offer.epoch > epoch and replica.ready and bool(self.offer.commands), "another owner")


def count(receiver: Receiver) -> dict[str, int]:
    """Return how many events of each type were received; repetitions have the same id."""
    return Counter({event["id"]: event["type"] for event in receiver.accepted}.values())


@pytest.mark.alone
async def test_a_suspension_survives_the_engine_and_redis_and_expires_to_what_is_true(tmp_path: Path) -> None:
    async with watched_primary(tmp_path / "redis") as watched, aiohttp.ClientSession() as http, receiving() as receiver:
        receiver.refuses_with = 503
        port = free_port()
        config = tmp_path / "odds.toml"
        config.write_text(CONFIG.format(url=watched.url, port=port, hook=receiver.url, secret=SECRET))
        settings = msgspec.structs.replace(quick_settings(), redis=RedisSettings(url=watched.url))
        async with command("engine", "-c", config, cwd=tmp_path) as first:
            await first.logged("publishing")
            async with run_gateway(settings, watched.url, timing=QUICK_TIMING) as gateway:
                floor = Floor(gateway, http)
                async with in_background(floor.watch()):
                    await wait_until(lambda: ("open", None) in floor.states(), "an open market")
                    status, made = await floor.ask("POST", body={"action": "suspend", "scope": {"sport": "football"}})
                    assert (201, "applied") == (status, made["state"])
                    assert {("suspended", "trader")} == floor.states()
                    floor.may_open = False

                    # kill -9, before anybody was told of it, and another engine takes over
                    await wait_until(lambda: b"command.made" in b"".join(body for _, body in receiver.attempts), "an attempt")
                    epoch = floor.offer.epoch
                    await first.stop(signal.SIGKILL)
                    async with command("engine", "-c", config, cwd=tmp_path) as second:
                        await second.logged("publishing")
                        await floor.published(epoch)
                        receiver.refuses_with = None
                        await wait_until(lambda: "command.made" in receiver.types(), "the webhook, from the other engine")

                        # the primary of Redis dies, and its replica takes over
                        epoch = floor.offer.epoch
                        await watched.die()
                        await floor.published(epoch)
                        await wait_until(lambda: {("suspended", "trader")} == floor.states(), "all suspended by a person")
                        assert set() == floor.opened

                        # lifted twice, then for a second, after which the market is as its source has it
                        floor.may_open = True
                        answers = [await floor.ask("DELETE", f"/{made['id']}") for _ in range(2)]
                        assert [(200, "lifted")] * 2 == [(status, answer["state"]) for status, answer in answers]
                        await wait_until(lambda: ("open", None) in floor.states(), "an open market")
                        status, made = await floor.ask("POST", body={"action": "suspend", "scope": {"all": True}, "expires": 1})
                        assert {("suspended", "trader")} == floor.states()
                        await wait_until(lambda: ("open", None) in floor.states(), "the expiry")
                        market = next(each for each in floor.offer.markets.values() if each.state.status == "open")
                        active = [each for each in market.selections.values() if each.status == "active"]
                        assert any(each.prices[0] for each in active)
                        told = {"command.made": 2, "command.lifted": 1}
                        await wait_until(lambda: told.items() <= count(receiver).items(), "every webhook")
                        for headers, body in receiver.attempts:
                            verify(headers, body)
