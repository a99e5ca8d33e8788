"""Questions about the past over HTTP: they are answered as subscribers saw it then."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import msgspec
import orjson
from typer.testing import CliRunner

from oddsengine.cli.app import app
from oddsengine.common.clock import iso_time
from oddsengine.domain.ids import EventId, shard_of
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.history.database import Database
from oddsengine.history.settings import HistorySettings
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.runtime.gateway import run_gateway
from oddsengine.runtime.settings import RedisSettings
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.positions import decode_at
from oddsengine.streams.publisher import prepare
from tests.support.builders import a_command, a_definition, a_quote, an_event, an_offer_of, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.history.archiving import NAMESPACE, archiving, until_archived, wall_ms
from tests.support.history.recording_subscriber import RecordingSubscriber
from tests.support.service import RunningGateway, quick_settings, running_service, wait_until
from tests.support.streams.ends import KEYS, Owner

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from oddsengine.runtime.settings import Settings
    from oddsengine.streams.embedded import EmbeddedRedis
    from tests.support.service import RunningService

EVENTS = ("e1", "e2", "e3", "e4")
PROFILES = ("default", "gold")
#: one in each of two shards
MARKS = tuple(
    next(event for event in map("mark{}".format, range(99)) if shard_of(EventId(event), 2) == shard) for shard in (0, 1)
)
QUESTIONS = 1000
ASKED_AT_ONCE = 16
MARKET = "e1/match_odds"


def settings_of(folder: Path, database: Database, shards: int = 2) -> Settings:
    key = KeySettings(algorithm="HS256", file=write_key(folder / "secret", SECRET))
    profiles = {"default": Profile(book_sum=1.05), "gold": Profile(book_sum=1.2)}
    settings = quick_settings(shards=shards, profiles=profiles, auth=AuthSettings(keys=(key,)), closed_event_ttl_s=0.1)
    return msgspec.structs.replace(settings, history=HistorySettings(url=database.url))


class HistoryKept(NamedTuple):
    database: Database | None
    problem: str


class Installation:
    """Engines over one Redis, which the same source feeds."""

    def __init__(self, services: list[RunningService]) -> None:
        self.services = services
        self._marks = 0

    def feed(self, event: str, price: float, status: str = "open") -> None:
        market = a_definition(f"{event}/match_odds", status=status)
        books = (a_quote("home", price), a_quote("away", price / (price - 1)))
        for service in self.services:
            service.feed(*market_updates(market, *books, source_id=f"1.{event}"))

    async def play(self, chance: random.Random, steps: int) -> None:
        """Move prices, suspend, close and take back, one after another."""
        for _ in range(steps):
            status = chance.choice(["open"] * 12 + ["suspended", "closed"])
            self.feed(chance.choice(EVENTS), chance.uniform(1.5, 2.8), status)
            await asyncio.sleep(0.012)

    async def settle(self, subscriber: RecordingSubscriber) -> None:
        """Wait until a subscriber has everything: a change in each shard that comes after all others."""
        markets = [f"{event}/match_odds" for event in MARKS]
        versions = [subscriber.markets.get(market, {}).get("v") for market in markets]
        self._marks += 1
        for event in MARKS:
            self.feed(event, 2.5 if self._marks % 2 else 1.8)
        for market, version in zip(markets, versions, strict=True):
            await wait_until(lambda m=market, v=version: subscriber.markets.get(m, {}).get("v") not in {None, v}, market)  # type: ignore[misc]


async def ask(service: RunningGateway, path: str, status: int = 200, **claims: Any) -> Any:
    headers = {"Authorization": f"Bearer {a_token(**{'sub': 'ann', 'role': 'trader', **claims})}"}
    async with service.http.get(f"{service.base}/v1/history/{path}", headers=headers) as response:
        body = await response.read()
        assert status in {0, response.status}, body
        return orjson.loads(body)


async def test_a_thousand_questions_are_answered_as_subscribers_saw_it(
    tmp_path: Path, database: Database, redis_server: EmbeddedRedis
) -> None:
    """Over an engine's failover, which opens epochs, and a resumption."""
    chance = random.Random(22)
    settings = settings_of(tmp_path, database)
    options: Any = {"redis_url": redis_server.url, "namespace": NAMESPACE}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(archiving(database, redis_server.url, shards=2))
        failing = await stack.enter_async_context(AsyncExitStack())
        first = await failing.enter_async_context(running_service(settings, **options))
        service = await stack.enter_async_context(running_service(settings, **options))
        installation = Installation([first, service])
        recorders = {
            profile: RecordingSubscriber(
                service.base.replace("http", "ws") + "/v1/stream", a_token(sub=profile, profile=profile), "sport:football", 2
            )
            for profile in PROFILES
        }
        gold, default = recorders["gold"], recorders["default"]
        # From now on something is on offer in each shard, which shows its position at every time.
        async with gold.following(lambda: installation.settle(gold)):
            pass
        gold.certain.clear()
        async with gold.following(lambda: installation.settle(gold)):
            async with default.following(lambda: installation.settle(default)):
                await installation.play(chance, 60)
            await installation.play(chance, 10)
            async with default.following(lambda: installation.settle(default)):
                await installation.play(chance, 30)
                installation.services = [service]
                await failing.aclose()
                await installation.play(chance, 60)
        assert 1 == default.resumed
        for shard, offer in enumerate(service.hub.replica.offers):
            await until_archived(database, offer.epoch, offer.seq, stream=str(shard))
        epochs = await database.fetch("SELECT count(DISTINCT (shard, epoch)) FROM entries")
        assert epochs[0][0] > 2

        async def check(profile: str) -> str | None:
            """Return the status that was held; None if only what came out of several changes was."""
            recorder = recorders[profile]
            from_ms, until_ms = chance.choice(recorder.certain)
            market = f"{chance.choice(EVENTS)}/match_odds"
            changed_ms = chance.choice(recorder.held[market]).from_ms + chance.choice((-1, 0, 1))
            at_ms = min(max(from_ms, chance.choice((changed_ms, chance.randrange(from_ms, until_ms)))), until_ms - 1)
            answer = await ask(service, f"markets/{market}?at={at_ms}", 0, sub=profile, profile=profile)
            found = answer.get("market")
            assert found is not None or "not on offer" in answer["error"]["message"], answer
            shard = shard_of(EventId(market.partition("/")[0]), 2)
            there = await ask(service, f"markets/{MARKS[shard]}/match_odds?at={at_ms}", sub=profile, profile=profile)
            expected = recorder.seen_at(market, shard, decode_at(there["position"], 2)[shard])
            if found in expected.now:
                return "" if found is None else str(found["status"])
            # A message has joined it with what has followed.
            assert expected.allows(found), (profile, at_ms, market, there["position"], expected, answer)
            return None

        seen: list[str | None] = []
        for _ in range(3 * QUESTIONS // ASKED_AT_ONCE):
            seen += await asyncio.gather(*(check(chance.choice(PROFILES)) for _ in range(ASKED_AT_ONCE)))
            if len(seen) - seen.count(None) >= QUESTIONS:
                break
        else:
            raise AssertionError(f"{seen.count(None)} of {len(seen)} questions were about what no subscriber has held")
        assert {"", "open", "suspended"} <= set(seen)


async def test_pages_gaps_and_refusals(tmp_path: Path, database: Database, redis_server: EmbeddedRedis, redis: Redis) -> None:
    """A gateway without an engine, over a shard of which some entries were trimmed before they were archived."""
    settings = settings_of(tmp_path, database, shards=1)
    settings = msgspec.structs.replace(settings, redis=RedisSettings(url=redis_server.url, namespace=NAMESPACE))
    owner = await Owner(redis).claimed()
    times = [wall_ms()]

    async def offers(price: int) -> None:
        await asyncio.sleep(0.003)
        times.append(wall_ms())
        owner.offer.stage_event(an_event())
        owner.offer.stage_market(an_offer_of(prices={"home": price}))
        batch = owner.offer.commit(times[-1])
        assert batch is not None
        await owner.publisher.publish(prepare(owner.offer, batch))

    log = CommandLog(redis, NAMESPACE)
    owner.offer.stage_event(an_event("e9", competition="old"))
    for price in (2000, 2100, 2200, 2300):
        await offers(price)
    async with archiving(database, redis_server.url):
        await until_archived(database, owner.offer.epoch, 4)
        made = a_command("note", all=True)
        await log.write(made)
        await log.write(msgspec.structs.replace(made, lifted_by="bob", lifted_ms=made.created_ms + 5), made)
        await log.write(msgspec.structs.replace(a_command("note", key="old", event="e9"), author="old"))
        await until_archived(database, 0, 3, stream="commands")
    owner.offer.remove_event(EventId("e9"))
    for price in (2400, 2500, 2600):
        await offers(price)
    await redis.xtrim(KEYS.changes, minid=f"{owner.offer.epoch}-7", approximate=False)
    async with archiving(database, redis_server.url):
        await until_archived(database, owner.offer.epoch, 7)
    path = f"markets/{MARKET}"
    dropped = "INSERT INTO dropped (shard, day, before_epoch, before_seq, epoch, seq, digest) VALUES (0, 1, 0, 0, 0, 0, '')"
    await database.execute(dropped)
    async with run_gateway(settings, redis_server.url) as running, aiohttp.ClientSession() as http:
        gateway = RunningGateway(running, http)
        await wait_until(lambda: not gateway.hub.replica.unloaded())

        found = await ask(gateway, f"{path}?at={times[2]}&format=fractional")
        assert ("11/10", iso_time(times[2], "milliseconds"), True) == (
            found["market"]["selections"]["home"]["price"],
            found["since"],
            found["since_is_exact"],
        )
        newest = await ask(gateway, path)
        assert (2.6, False) == (newest["market"]["selections"]["home"]["price"], newest["since_is_exact"])
        # Byte for byte what a snapshot has of it.
        headers = {"Authorization": f"Bearer {a_token(role='trader')}"}
        async with http.get(f"{gateway.base}/v1/snapshot?channel=market:{MARKET}", headers=headers) as snapshot:
            encoded = (await snapshot.read()).partition(b'"markets":[')[2][:-2]
        async with http.get(f"{gateway.base}/v1/history/{path}", headers=headers) as then:
            assert (await then.read()).endswith(b'"market":%b}' % encoded)

        assert newest["market"] == (await ask(gateway, path, channels=["sport:football"], role="service"))["market"]
        await check_pages(gateway, times)
        await check_refusals(gateway, times)
        await check_command_line(gateway)
        # What keeps the history in this process has a problem, or its database is away.
        for keeper, said in (
            (HistoryKept(None, "no space left"), "no space left"),
            (HistoryKept(Database("postgresql://127.0.0.1:1/none"), ""), "does not answer"),
        ):
            running.history.follow(keeper)
            assert said in (await ask(gateway, path, 503))["error"]["message"]


async def check_pages(gateway: RunningGateway, times: list[int]) -> None:
    path = f"markets/{MARKET}"
    pages: list[Any] = [await ask(gateway, f"{path}/changes?limit=2")]
    while "next" in pages[-1]:
        pages.append(await ask(gateway, f"{path}/changes?limit=2&cursor={pages[-1]['next']}"))
    prices = [step["market"]["selections"]["home"]["price"] for page in pages for step in page["changes"]]
    assert [2.0, 2.1, 2.2, 2.3, 2.6] == prices
    assert (None, 2.1) == (pages[0]["before"], pages[1]["before"]["selections"]["home"]["price"])
    assert ["beginning", "trimmed"][-1:] == [gap["reason"] for gap in pages[0]["gaps"]][-1:]
    assert pages[0] == await ask(gateway, f"{path}/changes?limit=2&from=0")
    part = await ask(gateway, f"{path}/changes?from={times[2]}&to={times[3]}")
    assert (2.0, 2) == (part["before"]["selections"]["home"]["price"], len(part["changes"]))

    steps = (await ask(gateway, "commands?author=ann&limit=1"))["steps"]
    steps += (await ask(gateway, "commands?author=ann&limit=5"))["steps"][1:]
    assert [("made", None), ("lifted", "bob")] == [(step["step"], step["command"]["lifted_by"]) for step in steps]
    assert [] == (await ask(gateway, "commands?author=eve"))["steps"]
    # The event has left the offer since: the history knows what it was part of.
    for channels, seen in ((["competition:old"], 1), (["sport:football"], 1), (["competition:cup"], 0)):
        narrowed = await ask(gateway, "commands", channels=channels)
        assert seen == [step["command"]["scope"].get("event") for step in narrowed["steps"]].count("e9"), channels


async def check_refusals(gateway: RunningGateway, times: list[int]) -> None:
    path = f"markets/{MARKET}"
    for asked, status, said, claims in (
        (f"{path}?at={times[5]}", 404, "a gap after", {}),
        (f"{path}?at=1970-01-01T12:00:00", 404, "not on offer yet", {}),
        (f"{path}?at=1970-01-01T00:00:01%2B00:00", 404, "begins at", {}),
        (f"{path}?at=1970-01-03", 404, "not kept any more", {}),
        ("markets/e1/other", 404, "has nothing of", {}),
        (f"{path}?at={wall_ms() + 60_000}", 400, "future", {}),
        (f"{path}/changes?from={wall_ms() + 60_000}", 400, "from must not be in the future", {}),
        (f"{path}?at=1970-01-03t00:00:00z", 404, "not kept any more", {}),
        (f"{path}?at=1970-01-02T23:59:60Z", 404, "not kept any more", {}),
        (f"{path}?at=1970-01-02T23:58:60Z", 400, "at must be", {}),
        ("commands?author=a%00", 400, "NUL", {}),
        (f"{path}?when=1", 400, "unknown parameter", {}),
        (f"{path}/changes?cursor=1-2", 400, "cursor", {}),
        (f"{path}/changes?cursor=7fffffffffff-0-0-0", 400, "future", {}),
        ("commands?cursor=7fffffffffff-0", 400, "future", {}),
        (f"{path}?at=0", 404, "begins at", {}),
        (f"{path}?at=" + "9" * 5000, 400, "at must be", {}),
        (f"{path}?at=" + "0" * 25 + "1", 400, "at must be", {}),
        (f"{path}/changes?limit=0", 400, "limit", {}),
        (f"{path}?profile=silver", 404, "was not published", {}),
        (f"{path}?profile=silver", 403, "of the profile gold", {"profile": "gold"}),
        (path, 404, "was not published", {"profile": "gold"}),
        (f"{path}/changes", 404, "was not published", {"profile": "gold"}),
        (path, 404, "has nothing of", {"channels": ["sport:tennis"]}),
        # Nor is anybody told when a market came or left that they may not see.
        (f"{path}?at=1970-01-01T12:00:00", 404, "has nothing of", {"channels": ["sport:tennis"]}),
        (path, 403, "service", {"role": "subscriber"}),
        ("commands", 403, "trader", {"role": "service"}),
    ):
        assert said in (await ask(gateway, asked, status, **claims))["error"]["message"], asked


async def check_command_line(gateway: RunningGateway) -> None:
    def command(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["history", *arguments, "--token", a_token(role="trader")])
        assert 0 == result.exit_code, result.output
        return result.output

    assert "2.6" in await asyncio.to_thread(command, "price", gateway.base, MARKET)
    listed = await asyncio.to_thread(command, "changes", gateway.base, MARKET, "--json", "--limit", "3")
    assert 3 == len(listed.splitlines())
    shown = await asyncio.to_thread(command, "commands", gateway.base)
    lifted = next(line for line in shown.splitlines() if "lifted" in line)
    steps = (await ask(gateway, "commands?author=ann"))["steps"]
    assert steps[-1]["at"] in lifted, "whoever reads a table in a pipe finds a step in one line"
    assert steps[-1]["command"]["id"] in lifted
    assert "bob" in lifted
