"""The commands, as a user types them."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest
from typer.testing import CliRunner

from oddsengine.cli.app import app
from oddsengine.gateway.commands.answers import command_answer
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.snapshots.stored import read_top
from tests.support.builders import a_command, a_definition, a_quote, market_updates
from tests.support.processes.command import Process, command
from tests.support.processes.forked import COMMAND, run
from tests.support.processes.inside import called
from tests.support.providers.simulated import START_MS, record_simulator
from tests.support.service import running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis


def test_help_names_every_command() -> None:
    result = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=False)
    assert 0 == result.returncode
    for name in ("run", "replay", "watch", "check", "price"):
        assert re.search(rf"\b{name}\b", result.stdout)


def test_price_shows_each_step() -> None:
    result = called("price", "2.1", "3.4", "3.9", "--devig", "shin", "--book-sum", "1.05", "--margin", "odds_ratio")
    assert 0 == result.returncode, result.stderr
    assert "46.6399%" in result.stdout
    found = json.loads(called("price", "2.1", "3.4", "3.9", "--json").stdout)
    assert [2.04, 3.3, 3.8] == [outcome["price"] for outcome in found["outcomes"]]
    assert 1.0 == pytest.approx(sum(outcome["fair"] for outcome in found["outcomes"]))
    assert found["book_sum_out"] >= 1.05


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("price", "0.9", "2"), "over 1, not 0.9"),
        (("price", "2", "2", "--devig", "shinn"), "the methods are"),
        (("price", "2", "2", "--ladder", "none"), "no ladder"),
        (("check", "nowhere.toml"), "can't be read"),
        (("replay", "nowhere.xz"), "does not exist"),
        (("watch", "127.0.0.1:9", "sport:football", "--once", "--bad"), "No such option"),
        (("watch", "127.0.0.1:9", "sport:football", "--once"), "connection refused"),
    ],
)
def test_a_mistake_is_reported_in_one_line(arguments: tuple[str, ...], words: str) -> None:
    result = called(*arguments)
    assert result.returncode in {1, 2}
    assert words in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr


def test_check_reports_every_problem(tmp_path: Path) -> None:
    config = tmp_path / "odds.toml"
    config.write_text("[gateway]\nprot = 1\n[engine]\nshards = -1\n")
    result = called("check", config)
    assert 2 == result.returncode
    assert f"{config}:2: gateway.prot" in result.stderr
    assert f"{config}:4: engine.shards" in result.stderr
    config.write_text('[feeds."été"]\nadapter = "theoddsapi"\nsports = ["x"]\napi_key_env = "NO_SUCH_SECRET"\n')
    result = run("check", config, environment={"PYTHONIOENCODING": "ascii"})
    assert 0 == result.returncode, result.stderr
    assert "ok (1 feeds: " in result.stdout
    assert "warning: can't read secrets, keys and certificates: feeds." in result.stderr
    failed = run("check", "--connect", config)
    assert 3 == failed.returncode
    assert "NO_SUCH_SECRET" in failed.stderr


@pytest.mark.parametrize("role", ["engine", "gateway"])
def test_separate_roles_need_a_redis_in_the_config(role: str) -> None:
    result = CliRunner().invoke(app, [role])
    assert 2 == result.exit_code
    assert "redis.url is empty" in " ".join(result.output.replace("│", " ").split())


@pytest.fixture(scope="module")
def short_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of the simulator, as short as one with goals and settled markets can be."""
    return record_simulator(tmp_path_factory.mktemp("short") / "simulated.jsonl", ticks=60, matches=2)


def test_replays_of_one_recording_are_identical(short_recording: Path, tmp_path: Path) -> None:
    """Processes with different hash seeds publish the same batches, and print a summary of them."""
    commands = tmp_path / "commands.jsonl"
    made = [
        a_command("book_sum", all=True, at_ms=0, values=1.12, expires_ms=START_MS + 3_000),
        a_command("limit", sport="football", key="c2", at_ms=START_MS + 1_000, values=50.0, profiles=("default",)),
        a_command("suspend", all=True, key="c3", at_ms=START_MS + 1_500, lifted_ms=START_MS + 2_500, lifted_by="bob"),
        a_command("suspend", sport="football", key="c4", at_ms=START_MS + 4_000, lifted_ms=10**13, lifted_by="bob"),
    ]
    commands.write_bytes(b"\n".join(msgspec.json.encode(command_answer(each, "lifted")) for each in made))
    published, summaries = [], set()
    for seed in ("1", "2"):
        out = tmp_path / seed
        arguments = ("replay", short_recording, "--published", out, "--commands", commands)
        result = run(*arguments, environment={"PYTHONHASHSEED": seed})
        assert 0 == result.returncode, result.stderr
        published.append(out.read_bytes())
        summaries.add(re.sub(r" in [\d.]+ s, [\d,]+/s", "", result.stdout))
    assert published[0] == published[1]
    (summary,) = summaries
    assert "61 messages (0 rejected)" in summary
    assert "market changes in 61 stream batches" in summary
    assert "0 open" in summary, "what was commanded holds to the end"


def test_a_broken_line_is_reported_and_skipped(short_recording: Path, tmp_path: Path) -> None:
    """The report names its file, line and reason, and the line is counted."""
    lines = short_recording.read_bytes().splitlines()
    middle = len(lines) // 2
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(b"\n".join([*lines[:middle], b'{"op":"mcm","pt":17000', *lines[middle:]]))
    at = json.loads(lines[-1])["pt"]
    result = called("replay", broken, "--dump-at", str(at))
    assert 0 == result.returncode
    assert f"{broken}:{middle + 1}: Input data was truncated" in result.stderr
    assert f"{len(lines) + 1:,} messages, 1 rejected" in result.stderr
    assert called("replay", short_recording, "--dump-at", str(at)).stdout == result.stdout


@asynccontextmanager
async def serving(*arguments: str | Path, cwd: Path) -> AsyncIterator[tuple[Process, str]]:
    """Run a command that serves. Yield it and its URL, and stop it."""
    async with command(*arguments, cwd=cwd) as process:
        (line,) = await process.logged("serving")
        yield process, line["url"]
        assert 0 == await process.stop()


async def get(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.json()


async def test_run_serves_the_demo_from_any_folder_and_stops_cleanly(tmp_path: Path) -> None:
    async with serving("run", "--port", "0", cwd=tmp_path) as (_, url):
        async with asyncio.timeout(60):
            while not any(
                market["status"] == "open" for market in (await get(f"{url}/v1/snapshot?channel=sport:football"))["markets"]
            ):
                await asyncio.sleep(0.05)
        watched = await asyncio.to_thread(run, "watch", url.removeprefix("http://"), "sport:football", "--once")
        assert 0 == watched.returncode, watched.stderr
        assert "match_odds" in watched.stdout


async def test_replay_serves_a_recording(short_recording: Path, tmp_path: Path) -> None:
    arguments = ("replay", short_recording, "--serve", "--speed", "max", "--port", "0")
    async with serving(*arguments, cwd=tmp_path) as (_, url), asyncio.timeout(60):
        while not (await get(f"{url}/v1/events"))["events"]:
            await asyncio.sleep(0.05)


async def test_a_second_engine_on_the_same_redis_stands_by(redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path) -> None:
    config = tmp_path / "odds.toml"
    config.write_text(f'[redis]\nurl = "{redis_server.url}"\n[gateway]\nport = 0\n')
    async with serving("run", "--config", config, cwd=tmp_path) as (first, _):
        before = await read_top(redis, shard_keys("odds", 0).changes)
        async with serving("run", "--config", config, cwd=tmp_path) as (_, url):
            assert before.epoch == (await read_top(redis, shard_keys("odds", 0).changes)).epoch
            assert 0 == await first.stop()
            assert before.epoch < (await read_top(redis, shard_keys("odds", 0).changes)).epoch
            assert [] == (await get(f"{url}/v1/events"))["events"]


async def test_watch_follows_moving_prices(tmp_path: Path) -> None:
    async with running_service() as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        async with command("watch", f"127.0.0.1:{service.port}", "event:e1", cwd=tmp_path) as watching:
            await wait_until(lambda: bool(service.hub.subscribed_channels), "the watcher")
            assert 0 == await watching.stop(signal.SIGINT), watching.log.read_text()


async def market_of(url: str, event: str) -> dict[str, Any]:
    found = await get(f"{url}/v1/events/{event}")
    (market,) = [market for market in found["markets"] if market["type"] == "total" and market["line"] == 3.5]
    assert isinstance(market, dict)
    return market


async def test_a_config_is_reloaded_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """On a change of the file and on SIGHUP. A bad file changes nothing."""
    config = tmp_path / "odds.toml"

    def write(book_sum: str) -> None:
        config.write_text(
            f'[profiles.default]\nbook_sum = {book_sum}\nladder = "decimal_3"\n[gateway]\nport = 0\n'
            '[feeds.sim]\nadapter = "simulator"\nmatches = 1\n[feeds.sim.pace]\nbefore_s = 10000.0\n'
        )

    async def shown(book_sum: float) -> None:
        """Wait until the prices on offer have this book sum."""
        async with asyncio.timeout(60):
            while True:
                market = await market_of(url, event)
                prices = [selection["price"] for selection in market["selections"].values()]
                if None not in prices and abs(sum(1 / price for price in prices) - book_sum) < 0.003:
                    return
                await asyncio.sleep(0.05)

    write("1.05")
    async with serving("run", "--config", config, cwd=tmp_path) as (process, url):
        async with asyncio.timeout(60):
            while not (events := (await get(f"{url}/v1/events"))["events"]):
                await asyncio.sleep(0.05)
        event = events[0]["id"]
        await shown(1.05)
        write("1.10")
        process.process.send_signal(signal.SIGHUP)
        await shown(1.10)
        write("0.5")
        (rejected, *_) = await process.logged("config rejected")
        assert "odds.toml:2: profiles.default.book_sum" in str(rejected)
        await shown(1.10)
        write("1.20")
        await shown(1.20)
