"""A process checks, binds and reads everything before it takes anything over, and stops at any moment of that."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from oddsengine.cli.support import read_settings
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.runtime.processes.redis import require_no_owner
from oddsengine.runtime.processes.startup import StartFailed, Startup, Step, Stopped
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publisher
from oddsengine.streams.snapshots.stored import read_head, read_stored, read_top
from tests.support.processes.command import command, get
from tests.support.processes.ports import free_port
from tests.support.processes.role import running
from tests.support.service import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

CHANGES = shard_keys("odds", 0).changes
CONFIG = """
[redis]
url = "{url}"
[engine]
port = {port}
[gateway]
port = {port}
{more}
[feeds.sim]
adapter = "simulator"
seed = 3
matches = 4
[feeds.sim.pace]
before_s = 10000.0
"""
#: what goes wrong -> additional config, where it listens, the step and a word of the error
FAILURES: dict[str, tuple[str, dict[str, Any], Step, str]] = {
    "the port is taken": ("", {}, Step.BIND, "another process listens there"),
    "a secret is not set": (
        '[feeds.other]\nadapter = "theoddsapi"\nsports = ["soccer_epl"]\napi_key_env = "NO_SUCH_KEY"\n',
        {"port": 0},
        Step.SECRETS,
        "feeds.other: the environment variable NO_SUCH_KEY",
    ),
    "a key file is missing": (
        '[[auth.keys]]\nalgorithm = "RS256"\nfile = "missing.pem"\n',
        {"port": 0},
        Step.SECRETS,
        "missing.pem",
    ),
    "the host is foreign": ("", {"port": 0, "host": "192.0.2.1"}, Step.BIND, "not an address of this machine"),
    "the host is unknown": ("", {"port": 0, "host": "no-such-host.invalid"}, Step.BIND, "no-such-host.invalid"),
}
RUN_FAILURES: dict[str, tuple[str, dict[str, Any], Step, str]] = {
    "a certificate is missing": (
        "",
        {"port": 0, "tls_cert": "missing.crt", "tls_key": "missing.key"},
        Step.SECRETS,
        "missing.crt",
    ),
    "recordings can't be written": ("", {"port": 0, "record_to": Path("/dev/null/recordings")}, Step.SECRETS, "/dev/null"),
}


def write_config(folder: Path, url: str, port: int, more: str = "") -> Path:
    path = folder / f"odds{len(list(folder.glob('*.toml')))}.toml"
    path.write_text(CONFIG.format(url=url, port=port, more=more))
    return path


@contextmanager
def paused(pid: int | None) -> Iterator[None]:
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def statuses(redis: Redis) -> list[tuple[str, str | None]]:
    """Return the status and reason of every market on offer."""
    keys = shard_keys("odds", 0)
    stored = await read_stored(redis, keys, await read_head(redis, keys))
    offer = ReplicaOffer(())
    if stored is not None:
        stored.load_into(offer)
    return [(market.state.status, market.state.reason) for market in offer.markets.values()]


async def has_open_markets(redis: Redis) -> None:
    """Wait for them."""
    async with asyncio.timeout(30):
        while "open" not in {status for status, _ in await statuses(redis)}:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("role", ["engine", "run"])
async def test_a_start_that_fails_takes_nothing_over(
    role: str, redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    """The running engine's command once more, also with something missing: the first one goes on publishing."""
    port = free_port()
    failures = FAILURES if role == "engine" else {**FAILURES, **RUN_FAILURES}
    async with running(role, write_config(tmp_path, redis_server.url, port)) as first:
        await first.reached(Step.READY)
        epoch = (await read_top(redis, CHANGES)).epoch
        for name, (more, address, step, words) in failures.items():
            config = write_config(tmp_path, redis_server.url, port, more)
            with pytest.raises(StartFailed) as failure:
                async with running(role, config, **address) as second:
                    await second.task
            assert step is failure.value.step, name
            assert words in str(failure.value), name
            assert failure.value.advice in str(failure.value), name
        top = await read_top(redis, CHANGES)
        assert epoch == top.epoch
        while (await read_top(redis, CHANGES)) <= top:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("role", ["engine", "run", "gateway"])
async def test_a_role_that_waits_for_redis_is_alive_and_ends_when_asked(
    role: str, redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    port = free_port()
    with paused(redis_server.pid):
        async with running(role, write_config(tmp_path, redis_server.url, port)) as starting:
            await starting.waits_for("Redis")
            url = f"http://127.0.0.1:{port}"
            status, health = await get(f"{url}/healthz")
            assert (200, "starting", "connect to Redis") == (status, health["status"], health["step"])
            for path in ("/readyz", "/v1/events", "/v1/snapshot?channel=sport:football", "/v1/sse?channels=sport:football"):
                assert 503 == (await get(f"{url}{path}"))[0]
            with pytest.raises(Stopped):
                await starting.stop()


async def test_a_gateway_serves_nothing_until_every_shard_is_loaded(
    redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with running("gateway", write_config(tmp_path, redis_server.url, port)) as gateway:
        await gateway.waits_for("nothing was published")
        assert [503, 200] == [(await get(f"{url}{path}"))[0] for path in ("/v1/events", "/healthz")]
        await Publisher(redis, 0, shard_keys("odds", 0), OwnedOffer()).claim(0)
        await gateway.reached(Step.READY)
        assert 200 == (await get(f"{url}/v1/events"))[0]


@pytest.mark.parametrize("role", ["engine", "run"])
async def test_the_last_write_of_an_engine_suspends_its_markets(
    role: str, redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    """The next engine opens them again once its sources have confirmed them."""
    config = write_config(tmp_path, redis_server.url, 0)
    async with running(role, config) as started:
        await has_open_markets(redis)
        await started.reached(Step.READY)
    found = await statuses(redis)
    assert ("suspended", "engine_stopped") in found
    assert "open" not in {status for status, _ in found}
    async with running(role, config) as started:
        await has_open_markets(redis)
        await started.reached(Step.READY)


@pytest.mark.parametrize(("host", "scrape"), [("127.0.0.1", 200), ("0.0.0.0", 401)])
async def test_an_engine_serves_its_api_to_traders(host: str, scrape: int, redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    """It does not listen on the gateway's host, but on its own. Its metrics need no token on the machine itself."""
    key, port = tmp_path / "key.txt", free_port()
    key.write_text("s" * 40)
    more = f'host = "192.0.2.1"\n[[auth.keys]]\nalgorithm = "HS256"\nfile = "{key}"\n'
    async with running("engine", write_config(tmp_path, redis_server.url, port, more), host=host) as engine:
        await engine.reached(Step.READY)
        url = f"http://127.0.0.1:{port}"
        assert [200, 200, scrape] == [(await get(f"{url}{path}"))[0] for path in ("/healthz", "/readyz", "/metrics")]
        market = "/v1/markets/e%2Fmatch_odds/explain"
        assert [401] * 3 == [(await get(f"{url}{path}"))[0] for path in ("/v1/feeds", "/v1/unmatched", market)]


@pytest.mark.parametrize(("more", "answer"), [("", 401), ('[auth]\nanonymous_role = "trader"\n', 200)])
@pytest.mark.parametrize("role", ["engine", "feeder"])
async def test_what_other_machines_reach_is_closed_to_strangers(
    role: str, more: str, answer: int, redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    """Without keys, too: a config that names no role has not asked for them."""
    port = free_port()
    async with running(role, write_config(tmp_path, redis_server.url, port, more), host="0.0.0.0", port=port) as started:
        await started.reached(Step.READY)
        paths = ("/healthz", "/readyz", "/metrics", "/v1/feeds")
        assert [200, 200, answer, answer] == [(await get(f"http://127.0.0.1:{port}{path}"))[0] for path in paths]


async def test_a_replay_does_not_take_over_from_a_live_engine(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    config = write_config(tmp_path, redis_server.url, 0)
    settings = read_settings(config)
    await require_no_owner(settings, Startup(), watch_s=0.0)
    async with running("engine", config) as engine:
        await engine.reached(Step.READY)
        with pytest.raises(StartFailed, match="an engine publishes in the namespace odds"):
            await require_no_owner(settings, Startup())


async def test_a_hangup_reloads_a_gateway(redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path) -> None:
    await Publisher(redis, 0, shard_keys("odds", 0), OwnedOffer()).claim(0)
    config = write_config(tmp_path, redis_server.url, 0)
    with capture_logs() as logs:
        async with running("gateway", config) as gateway:
            await gateway.reached(Step.READY)
            changed = config.read_text().replace("[gateway]\n", "[gateway]\nheartbeat_ms = 900\nworker_timeout_s = 9\n")
            config.write_text(changed + "[limits]\nidle_timeout_s = 5\n")
            os.kill(os.getpid(), signal.SIGHUP)
            await wait_until(lambda: any(line["event"] == "config reloaded" for line in logs), "the reload")
            assert Step.READY is gateway.startup.step
    (reload,) = [line for line in logs if line["event"] == "config reloaded"][:1]
    assert ["gateway.heartbeat_ms", "limits.idle_timeout_s"] == reload["changed"]
    assert ["gateway.worker_timeout_s"] == reload["needs_restart"]


def changes(logs: list[Any]) -> list[tuple[list[str], list[str]]]:
    """Return what each reload so far has changed, and what it needs a restart for, without those that changed nothing."""
    found = [(line["changed"], line["needs_restart"]) for line in logs if line["event"] == "config reloaded"]
    return [each for each in found if each != ([], [])]


async def test_a_reload_adds_and_removes_feeds(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    config = write_config(tmp_path, redis_server.url, 0)
    first = config.read_text()
    another = '[feeds.two]\nadapter = "simulator"\nseed = 4\nmatches = 2\n'
    with capture_logs() as logs:
        async with running("run", config) as process:
            await process.reached(Step.READY)
            for number, text in enumerate((first + another, first), 1):
                config.write_text(text)
                os.kill(os.getpid(), signal.SIGHUP)
                await wait_until(lambda number=number: number <= len(changes(logs)), "the reload")  # type: ignore[misc]
        assert [(["feeds.two"], [])] * 2 == changes(logs)[:2]
    assert [] == [line for line in logs if line["event"] == "error in the event loop"]


async def test_a_reloaded_feeder_names_what_needs_a_restart(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    config = write_config(tmp_path, redis_server.url, 0)
    with capture_logs() as logs:
        async with running("feeder", config) as feeder:
            await feeder.reached(Step.READY)
            config.write_text(config.read_text() + "[limits]\nrequests_per_s = 9\n[feeder]\nhost = 'localhost'\n[tiers]\n")
            os.kill(os.getpid(), signal.SIGHUP)
            await wait_until(lambda: any(line["event"] == "config reloaded" for line in logs), "the reload")
    (reload,) = [line for line in logs if line["event"] == "config reloaded"][:1]
    assert (["limits.requests_per_s"], ["feeder.host"]) == (reload["changed"], reload["needs_restart"])


@pytest.mark.parametrize("role", ["gateway", "feeder"])
def test_a_role_that_may_open_too_few_files_names_the_limit(role: str, tmp_path: Path) -> None:
    config = write_config(tmp_path, "redis://127.0.0.1:9", 0)
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)); sys.argv[0] = 'oddsengine'\n"
    code += "from oddsengine.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code, role, "-c", config], capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert (1, "") == (done.returncode, done.stdout)
    assert line.startswith("error: the limit of open files is 20, and a role needs 50 besides its clients: raise it")


async def ignores_hangups(pid: int) -> None:
    """Wait until a process ignores SIGHUP."""
    async with asyncio.timeout(PATIENCE_S):
        while not int(re.findall(r"SigIgn:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())[0], 16) & 1:
            await asyncio.sleep(0)


@pytest.mark.parametrize("role", [("bridge", "rabbitmq"), ("feeder",)])
async def test_a_hangup_ends_no_role(role: tuple[str, ...], redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    """Before its event loop runs, and where it has nothing to reload."""
    more = '[bridge.rabbitmq]\nurl = "amqp://127.0.0.1:9"\n'
    config = write_config(tmp_path, redis_server.url, 0, more)
    # A variable of the interpreter: the command gets a new one, which has not imported anything yet.
    async with command(*role, "-c", config, cwd=tmp_path, environment={"PYTHONNODEBUGRANGES": "1"}) as process:
        await ignores_hangups(process.pid)
        process.process.send_signal(signal.SIGHUP)
        await process.logged("bridge ready" if role[0] == "bridge" else "feeding")
        process.process.send_signal(signal.SIGHUP)
        await process.logged("nothing to reload" if role[0] == "bridge" else "config reloaded")
        assert 0 == await process.stop()


@pytest.mark.alone
async def test_signals_work_at_every_moment(redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path) -> None:
    """SIGHUP and SIGTERM before Redis answers, and while it has gone away again."""
    config = write_config(tmp_path, redis_server.url, 0)
    async with command("run", "-c", config, cwd=tmp_path) as second:
        with paused(redis_server.pid):
            async with command("run", "-c", config, cwd=tmp_path) as first:
                await first.logged("redis unreachable, waiting")
                first.process.send_signal(signal.SIGHUP)
                await asyncio.sleep(0.2)
                assert 0 == await first.stop()
                assert 1 == len(first.events("redis unreachable, waiting"))
                assert 1 == len(first.events("stopped while starting"))
        await second.logged("serving")
        await has_open_markets(redis)
        with paused(redis_server.pid):
            assert 0 == await second.stop()
        assert [] != second.events("markets not suspended in time, gateways will suspend them")
