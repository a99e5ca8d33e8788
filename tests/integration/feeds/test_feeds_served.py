"""Feeds in a whole service: their state is shown, doubtful matches are listed, and feeds of other packages are found."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from feeds.adapters.betfair import BetfairCodec, Subscription
from feeds.feed import Feed
from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState
from feeds.supervision.supervisor import Supervisor
from feeds.transports.byte_streams import TcpTransport
from oddsengine.domain.feed_updates import EventUpdate
from oddsengine.runtime.feed_runner import feed_samples, feed_status
from tests.support.builders import an_event
from tests.support.providers.emulated import NullSink
from tests.support.service import PATIENCE_S, running_service, wait_until
from tests.support.tasks import in_background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[3]


async def test_an_unreachable_provider_is_probed_and_shown_as_down() -> None:
    codec = BetfairCodec("line", "key", "token", Subscription())
    feed = Feed(("line",), codec, TcpTransport("127.0.0.1", 1, tls=False))
    supervision = Supervision(backoff_start_s=0.001, backoff_ceiling_s=0.002, breaker_failures=3, breaker_probe_s=0.2)
    supervisor = Supervisor("line", feed, NullSink(), supervision)
    async with in_background(supervisor.run()):
        await wait_until(lambda: supervisor.retry.is_open, "the breaker")
        failures = supervisor.counters.failures
        await wait_until(lambda: supervisor.counters.failures > failures, "a probe")
        shown = feed_status([supervisor])[0]
    assert ("line", "down") == (shown["feed"], shown["state"])
    assert "Connect call failed" in shown["reason"]
    assert ("oddsengine_feed_breaker_open", ("line",), True) in list(feed_samples([supervisor]))


@pytest.fixture
async def line_server() -> AsyncIterator[Any]:
    """The bookmaker of the example feed."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(b"MATCH|7|Ashford Rovers|Bramley Town|2026-12-05T15:00:00Z\nnonsense\nPRICE|7|2.10|3.40|3.60\nREADY\n")
        await writer.drain()
        while not writer.is_closing():
            writer.write(b"PING\n")
            await asyncio.sleep(0.2)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


def install(source: Path, site: Path) -> Path:
    """Install a package of modules as pip does, which takes seconds; `.ci/python-client` has pip build it. Return the folder."""
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    information = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    information.mkdir(parents=True)
    for module in source.glob("*.py"):
        shutil.copy(module, site)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n{name} = {target}" for group, names in project["entry-points"].items() for name, target in names.items()
    ]
    (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site


async def test_a_feed_of_another_package_is_found_by_its_entry_point_and_serves_prices(line_server: Any, tmp_path: Path) -> None:
    """The example of docs/adding-a-feed.md, installed outside this tree and run by the command line tool."""
    site = install(ROOT / "docs" / "example-feed", tmp_path / "site")
    port = line_server.sockets[0].getsockname()[1]
    config = tmp_path / "config.toml"
    config.write_text(
        f'[gateway]\nport = 0\n[profiles.default]\nbook_sum = 1.05\n[feeds.mine]\nadapter = "line"\nport = {port}\n'
    )
    command = [str(Path(sys.executable).parent / "oddsengine"), "run", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "PYTHONPATH": str(site)}, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        base = ""
        rejected = False
        async with asyncio.timeout(60):
            while not (base and rejected):
                line = orjson.loads(await process.stderr.readline())
                base = line.get("url", base) if line["event"] == "serving" else base
                rejected = rejected or (line["event"] == "provider message rejected" and "nonsense" in line["excerpt"])
        async with aiohttp.ClientSession() as http:

            async def market() -> Any:
                async with http.get(f"{base}/v1/markets/mine.7%2Fmatch_odds") as response:
                    return await response.json() if response.status == 200 else None

            async with asyncio.timeout(30):
                while (found := await market()) is None or found["status"] != "open":
                    await asyncio.sleep(0.05)
            assert "Ashford Rovers" == found["selections"]["home"]["name"]
            async with http.get(f"{base}/v1/feeds") as response:
                (shown,) = (await response.json())["feeds"]
            assert ("mine", FeedState.LIVE.value) == (shown["feed"], shown["state"])
    finally:
        process.terminate()
        await process.wait()


async def test_doubtful_matches_are_listed_for_review() -> None:
    async with running_service(sources=("b", "p")) as service:
        found: list[Any] = []
        async with asyncio.timeout(PATIENCE_S):
            while not found:
                # Again and again, as feeds do: an engine that Redis did not answer in time has begun anew without them.
                for key, start in (("b.1", 0), ("p.9", 150 * 60_000)):
                    event = an_event(key, participants=("Leeds", "Fulham"), start_ms=start)
                    service.feed(EventUpdate(event), source=key[0])
                found = (await service.get("/v1/unmatched"))["unmatched"]
                await asyncio.sleep(0.01)
        (candidate,) = found
        assert ["p.9", "b.1"] == [event["id"] for event in candidate["events"]]
        assert 0.6 <= candidate["score"] < 0.86
        assert {"feeds": []} == await service.get("/v1/feeds")
