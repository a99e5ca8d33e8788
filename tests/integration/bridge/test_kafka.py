"""The bridge to Kafka against a real broker and a real Redis: everything at least once, whatever ends meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import ssl
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError

from oddsengine.bridge.delivery import BrokerFailed
from oddsengine.bridge.kafka import KafkaBroker, connect_kafka
from oddsengine.bridge.messages import status_message
from oddsengine.bridge.settings import BridgeSettings, KafkaSettings, TopicSettings
from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.runtime.parts.bridge import run_bridge
from oddsengine.runtime.settings import EngineSettings, RedisSettings, Settings
from oddsengine.streams.positions import ORIGIN
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import Certificates
from tests.support.processes.command import command, get
from tests.support.processes.ports import free_port
from tests.support.programs.kafka import Received, by, consuming, kafka, secured_kafka
from tests.support.service import running_service, wait_until
from tests.support.streams.ends import Owner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

TOPICS: tuple[str, ...] = msgspec.structs.astuple(TopicSettings())
MARKET = "e1/moneyline"


def with_bridge(settings: Settings, address: str, lease_s: float = 0.5, **options: Any) -> Settings:
    """Return settings with a bridge."""
    bridge = KafkaSettings(brokers=(address,), partitions=2, status_interval_s=0.2, **options)
    return msgspec.structs.replace(settings, engine=EngineSettings(lease_s=lease_s), bridge=BridgeSettings(kafka=bridge))


def bodies(received: list[Received], kind: str) -> list[dict[str, Any]]:
    return [each.body for each in received if each.body is not None and each.headers["kind"] == kind]


def of(kind: str, **fields: Any) -> Callable[[Received], bool]:
    """Return a condition: a message of a kind, whose JSON, or whose state, has these values."""

    def holds(each: Received) -> bool:
        body = each.body or {}
        state = body.get("state")
        found = {**body, **(state if isinstance(state, dict) else {})}
        return each.headers["kind"] == kind and all(found.get(key) == value for key, value in fields.items())

    return holds


async def behind_s(port: int) -> float:
    """Wait until a bridge says by how much it is behind, and return that."""
    while True:
        _, metrics = await get(f"http://127.0.0.1:{port}/metrics")
        if found := re.search(r'oddsengine_bridge_behind_seconds{bridge="kafka",shard="0"} (\S+)', metrics):
            return float(found[1])
        await asyncio.sleep(0.05)


async def test_what_is_published_settled_and_commanded_arrives_in_topics(tmp_path: Path) -> None:
    """Over TLS, of a broker that has to know who publishes."""
    certificates = Certificates(tmp_path)
    context = ssl.create_default_context(cafile=certificates.trusted)
    async with running_service() as service, secured_kafka(certificates, "odds", "a secret") as address:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        security = {"tls": True, "tls_ca": str(certificates.trusted), "user": "odds", "password": "a secret"}
        # Nobody takes over because others keep this machine busy.
        settings = with_bridge(service.settings, address, 10.0, sasl="SCRAM-SHA-512", **security)
        async with (
            run_bridge(settings, settings.redis.full_url, "kafka") as bridge,
            run_bridge(settings, settings.redis.full_url, "kafka") as other,
            consuming(address, *TOPICS, **by("SCRAM-SHA-512", context, "odds", "a secret")) as consumer,
        ):
            assert dict.fromkeys(TOPICS, 2) == consumer.partitions
            (snapshot,) = bodies(await consumer.until(of("snapshot")), "snapshot")
            assert "start" == snapshot["gap"]["cause"]
            market = snapshot["market"]
            assert snapshot["state"] == await service.get(f"/v1/markets/{market.replace('/', '%2F')}")
            assert {bridge.is_active, other.is_active} == {True, False}

            service.feed(MarketUpdate("1.1", books=[a_quote("home", 2.4)]))
            body = {"action": "suspend", "scope": {"market": market}, "reason": "red card"}
            await service.post("/v1/commands", json.dumps(body).encode(), 201)
            received = await consumer.until(of("change", status="suspended"), of("command"), of("status", state="live"))
            (commanded,) = bodies(received, "command")
            assert ("command.made", "red card") == (commanded["type"], commanded["command"]["reason"])

            await (bridge if bridge.is_active else other).stop()
            await wait_until(lambda: bridge.is_active or other.is_active, "the other process takes over")
            selections = tuple(
                msgspec.structs.replace(each, status="winner" if each.key == "home" else "loser")
                for each in a_definition().selections
            )
            definition = msgspec.structs.replace(a_definition(status="closed"), selections=selections)
            service.feed(MarketUpdate("1.1", definition=definition))
            received = await consumer.until(of("result"), of("change", status="closed"))
            (result,) = bodies(received, "result")
            assert {"home": "winner", "away": "loser"} == {key: each["result"] for key, each in result["selections"].items()}
            assert 1 == len(bodies(received, "snapshot"))
            assert {market} == {each.key for each in received if each.topic == "odds.changes"}
            numbers = [(each["epoch"], each["seq"], each["index"]) for each in bodies(received, "change")]
            # What was acknowledged while the other one stopped may be sent again.
            assert sorted(set(numbers)) == list(dict.fromkeys(numbers))


async def test_kill_9_loses_nothing_and_a_new_epoch_is_a_named_gap(
    redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    """What was sent twice has the same id; what is removed while nobody publishes is gone from the topic too."""
    broker_port = free_port()
    settings = with_bridge(Settings(redis=RedisSettings(url=redis_server.url, namespace="test")), f"127.0.0.1:{broker_port}")
    port = free_port()
    config = tmp_path / "bridge.toml"
    config.write_text(
        f'[redis]\nurl = "{redis_server.url}"\nnamespace = "test"\n[engine]\nlease_s = 0.5\n[bridge.kafka]\nport = {port}\n'
        f'brokers = ["127.0.0.1:{broker_port}"]\npartitions = 2\nstatus_interval_s = 0.2\n'
    )
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await owner.offers(2000, "e2/match_odds")
    async with command("bridge", "kafka", "-c", config, cwd=tmp_path) as process:
        # The broker is away at first: the bridge waits for it, and for nothing else.
        await process.logged("broker unavailable")
        begun_s = await behind_s(port)
        while await behind_s(port) <= begun_s:
            await asyncio.sleep(0.05)
        async with kafka(broker_port) as address, consuming(address, *TOPICS) as consumer:
            received = await consumer.until(of("snapshot", market="e2/match_odds"), of("status", state="live"))
            assert (200, {"status": "ready", "active": True}) == await get(f"http://127.0.0.1:{port}/readyz")
            _, metrics = await get(f"http://127.0.0.1:{port}/metrics")
            assert 'oddsengine_bridge_snapshots_total{bridge="kafka",cause="start"} 1.0' in metrics
            first = owner.offer.seq
            for price in range(2001, 2121):
                await owner.offers(price)
                if price == 2050:
                    process.process.send_signal(signal.SIGKILL)
                await asyncio.sleep(0)
            assert -signal.SIGKILL == await process.ended()
            async with run_bridge(settings, redis_server.url, "kafka"):
                received = await consumer.until(of("change", seq=owner.offer.seq))
            changes = bodies(received, "change")
            assert set(range(first + 1, owner.offer.seq + 1)) == {each["seq"] for each in changes}
            by_id: dict[str, Any] = {}
            for each in changes:
                assert by_id.setdefault(each["id"], each["change"]) == each["change"]

            new = await Owner(redis).claimed()
            new.offer.remove_event(EventId("e2"))
            await new.flush()
            await new.offers(2500)
            await redis.xtrim("{test:0}:changes", minid=f"{new.offer.epoch}-{new.offer.seq}", approximate=False)
            async with run_bridge(settings, redis_server.url, "kafka"):
                received = await consumer.until(
                    lambda each: each.body is None and each.key == "e2", of("snapshot", epoch=new.offer.epoch)
                )
            (again,) = [each for each in bodies(received, "snapshot") if each["epoch"] == new.offer.epoch]
            assert {"cause": "epoch", "after": f"{owner.offer.epoch}-{owner.offer.seq}"} == {
                key: again["gap"][key] for key in ("cause", "after")
            }
            last = {each.key: each.body for each in received if each.topic == "odds.changes"}
            assert {"e1/match_odds", "e2/match_odds"} == set(last)
            assert last["e2/match_odds"] is None
            assert MarketId("e1/match_odds") in new.offer.markets
            assert 2.5 == last["e1/match_odds"]["state"]["selections"]["home"]["price"]  # type: ignore[index]


class Refusing:
    """A producer whose broker does not know a topic: the one that runs here creates it instead."""

    async def send(self, topic: str, *_args: Any, **_options: Any) -> None:
        """Fail."""
        raise UnknownTopicOrPartitionError(topic)


async def test_a_topic_that_was_deleted_is_created_again() -> None:
    async with kafka() as address:
        settings = KafkaSettings(brokers=(address,), partitions=2)
        broker = await connect_kafka(settings)
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        try:
            await admin.delete_topics(["odds.status"])
            assert "odds.status" not in await admin.list_topics()
            with pytest.raises(BrokerFailed, match="its topic was missing, and is created"):
                await KafkaBroker(cast("Any", Refusing()), settings).send([status_message(0, ORIGIN, 0, is_live=True)])
            assert "odds.status" in await admin.list_topics()
        finally:
            await admin.close()
            await broker.close()
