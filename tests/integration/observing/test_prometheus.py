"""A real Prometheus scrapes an engine and a gateway with workers: every dashboard and alert asks for what is there.

The same gateway then stops: unready but serving at first, at once with a second signal.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from oddsengine.bridge.delivery import Counters as BridgeCounters
from oddsengine.bridge.service import Bridge
from oddsengine.common.histogram import Histogram
from oddsengine.common.http import metrics_handler
from oddsengine.history.archive.archive import Counters as ArchiveCounters
from oddsengine.history.archive.archiver import Archiver
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.telemetry.metrics import build_registry
from tests.support.processes.command import command, get
from tests.support.processes.ports import free_port
from tests.support.processes.role import running
from tests.support.programs.prometheus import PROMTOOL, Prometheus, needs_prometheus, running_prometheus
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.runtime.telemetry.metrics import Sample
    from oddsengine.streams.embedded import EmbeddedRedis

DEPLOY = Path(__file__).parents[3] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
TOKEN = "of-scrapes"
CONFIG = """
[redis]
url = "{redis}"
[engine]
port = {engine}
[gateway]
port = {gateway}
drain_delay_s = 60
worker_timeout_s = 20
[telemetry]
endpoint = "http://127.0.0.1:{dead}"
sample_ratio = 1.0
[profiles.default]
[feeds.sim]
adapter = "simulator"
seed = 7
matches = 1
[feeds.other]
adapter = "simulator"
seed = 8
matches = 1
[[webhooks]]
url = "http://127.0.0.1:{dead}/events"
name = "shop"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""
#: What Grafana puts in the place of its variables.
VARIABLES = {"$__rate_interval": "1m", "$__interval": "15s", "$instance": ".*", "$feed": ".*"}


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every expression with where it is."""
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                text = target["expr"]
                for variable, value in VARIABLES.items():
                    text = text.replace(variable, value)
                yield f"{file.name}: {panel['title']}", text
    for name, text in re.findall(r"- alert: (\w+)\n\s+expr: >-\n\s+(.+)", ALERTS.read_text(encoding="utf-8")):
        yield name, text


def of_other_roles() -> Iterator[Sample]:
    """Yield what an archiver and a bridge would, by their own code, of objects that do nothing; and a feed with a quota."""
    archived = SimpleNamespace(counters=ArchiveCounters(), is_active=True, _wall_ms=lambda: 0)
    yield from Archiver.samples(cast("Any", archived))
    counters = BridgeCounters()
    counters.messages["changes"] = counters.snapshots["start"] = 1
    counters.behind_s[0] = 0.1
    bridging = SimpleNamespace(_kind="kafka", _counters=counters, is_active=True, _now_ms=lambda: 0)
    yield from Bridge.samples(cast("Any", bridging))
    yield "oddsengine_feed_quota_used", ("polled",), 1
    yield "oddsengine_feed_quota_remaining", ("polled",), 499
    yield "oddsengine_feed_response_seconds", ("polled",), Histogram((1.0,))
    yield "oddsengine_feed_responses_total", ("polled", "200"), 1


@pytest.mark.alone
@needs_prometheus
async def test_every_expression_is_of_metrics_that_are_there(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    engine, port, scrapes = free_port(), free_port(), free_port()
    config = tmp_path / "odds.toml"
    config.write_text(CONFIG.format(redis=redis_server.url, engine=engine, gateway=port, dead=free_port()))
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    environment = {"ODDSENGINE_METRICS__PORT": str(scrapes), "ODDSENGINE_METRICS__TOKEN_FILE": str(tmp_path / "token")}
    async with AsyncExitStack() as stack:
        publishing = await stack.enter_async_context(running("engine", config))
        gateway = await stack.enter_async_context(
            command("gateway", "-c", config, "--workers", "2", cwd=tmp_path, environment=environment)
        )
        app = web.Application()
        app.router.add_get("/metrics", metrics_handler(build_registry([of_other_roles])))
        others = await stack.enter_async_context(TestServer(app))
        await publishing.reached(Step.READY)
        await gateway.logged("serving", 2)
        url = f"http://127.0.0.1:{port}"
        assert [404, 401, 200] == [
            (await get(f"{url}/metrics", TOKEN))[0],
            (await get(f"http://127.0.0.1:{scrapes}/metrics"))[0],
            (await get(f"http://127.0.0.1:{scrapes}/metrics", TOKEN))[0],
        ], "on a port of their own, to whoever has the token"
        await get(f"{url}/v1/events")
        subscriber = await stack.enter_async_context(aiohttp.ClientSession())
        sockets = [await subscriber.ws_connect(f"{url}/v1/stream") for _ in range(4)]
        for socket in sockets:
            await socket.send_json({"op": "subscribe", "id": 1, "channels": ["sport:football"]})

        jobs: list[Any] = [
            {"job_name": "oddsengine-engine", "static_configs": [{"targets": [f"127.0.0.1:{engine}"]}]},
            {
                "job_name": "oddsengine-gateway",
                "static_configs": [{"targets": [f"127.0.0.1:{scrapes}"]}],
                "authorization": {"credentials_file": str(tmp_path / "token")},
            },
            {"job_name": "oddsengine-others", "static_configs": [{"targets": [f"127.0.0.1:{others.port}"]}]},
        ]
        async with running_prometheus(tmp_path, jobs, ALERTS) as prometheus:
            await check_expressions(prometheus)

        # A stop is announced before it happens.
        gateway.process.send_signal(signal.SIGTERM)
        await gateway.logged("unready, serving on", 2)
        for _ in range(4):
            assert 503 == (await get(f"{url}/readyz"))[0]
            async with subscriber.get(f"{url}/v1/events") as answer:
                assert (200, "close") == (answer.status, answer.headers["Connection"])
        late = await subscriber.ws_connect(f"{url}/v1/stream")
        assert "welcome" == (await late.receive_json())["op"]
        closing = [asyncio.create_task(closing_code(socket)) for socket in (*sockets, late)]
        gateway.process.send_signal(signal.SIGTERM)
        assert {1012} == set(await asyncio.gather(*closing))
        assert 0 == await gateway.ended()
        assert 2 == len(gateway.events("drained"))
        with pytest.raises(aiohttp.ClientConnectorError):
            await subscriber.get(f"{url}/healthz")


async def check_expressions(prometheus: Prometheus) -> None:
    """Check that every expression is of metrics that are there, and that no alert fires."""
    assert {"up"} == {target["health"] for target in await prometheus.scraped()}
    there = set(await prometheus.ask("label/__name__/values"))
    asked = list(expressions())
    assert len(asked) > 100
    missing: set[tuple[str, str]] = set()
    for where, text in asked:
        await prometheus.ask("query", query=text)
        named = set(re.findall(r"\b(?:oddsengine_[a-z_]+|process_[a-z_]+|up)\b", text))
        assert named, where
        missing |= {(where, name) for name in named - there}
    assert set() == missing
    (sessions,) = (await prometheus.ask("query", query="sum(oddsengine_sessions)"))["result"]
    assert "4" == sessions["value"][1], "of both workers"
    rules = [rule for group in (await prometheus.ask("rules"))["groups"] for rule in group["rules"]]
    assert {"ok", "unknown"} >= {rule["health"] for rule in rules}
    firing = {rule["name"] for rule in rules if rule["state"] == "firing"}
    assert not firing, "a healthy installation has no alert"


async def closing_code(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """Read until the socket is closed. Return the code."""
    async with asyncio.timeout(PATIENCE_S):
        async for _ in socket:
            pass
    return socket.close_code


@needs_prometheus
async def test_each_alert_fires_when_it_should() -> None:
    """The rules and their tests, by Prometheus' own tool."""
    assert PROMTOOL is not None
    for arguments in (["check", "rules", str(ALERTS)], ["test", "rules", str(ALERTS.with_name("alerts.test.yml"))]):
        process = await asyncio.create_subprocess_exec(
            PROMTOOL, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate()
        assert 0 == process.returncode, out.decode()
