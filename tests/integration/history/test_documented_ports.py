"""The ports of an archiver and of a bridge answer as the OpenAPI document says: ready, waiting, and while they start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oddsengine.gateway.documents.openapi import statuses
from oddsengine.gateway.documents.route import JSON
from oddsengine.gateway.documents.routes import ROUTES
from tests.support.documents.requests import example_of
from tests.support.documents.schemas import validate_answer
from tests.support.processes.command import command, get
from tests.support.processes.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from oddsengine.history.database import Database
    from oddsengine.streams.embedded import EmbeddedRedis

CONFIG = """
[redis]
url = "{redis}"
[history]
url = "{history}"
port = {archiver}
[bridge.kafka]
brokers = ["127.0.0.1:{broker}"]
port = {bridge}
[auth]
anonymous_role = "trader"
"""
COMMANDS = {"archiver": ["archiver"], "bridge": ["bridge", "kafka"]}


async def answers_of(role: str, port: int) -> dict[str, tuple[int, Any]]:
    """Ask everything that a role serves. Return the answers, which are as documented, by operation."""
    found: dict[str, tuple[int, Any]] = {}
    for route in ROUTES:
        if role in route.served_by:
            status, answer = await get(f"http://127.0.0.1:{port}{example_of(route).target}")
            assert str(status) in statuses(route), (role, route.name, status)
            if route.media == JSON:
                validate_answer(route.method, route.path, status, answer)
            found[route.name] = status, answer
    return found


async def test_an_archiver_and_a_bridge_answer_as_documented(
    database: Database, redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    ports = {"archiver": free_port(), "bridge": free_port(), "broker": free_port()}
    for name, redis_url in (("waiting", f"redis://127.0.0.1:{free_port()}"), ("ready", redis_server.url)):
        config = tmp_path / f"{name}.toml"
        config.write_text(CONFIG.format(redis=redis_url, history=database.url, **ports))
        for role, arguments in COMMANDS.items():
            async with command(*arguments, "--config", config, cwd=tmp_path) as process:
                await process.logged(f"{role} ready" if name == "ready" else "redis unreachable, waiting")
                found = await answers_of(role, ports[role])
                await process.stop()
            assert {"get_health", "get_readiness", "get_metrics"} <= found.keys()
            status, ready = found["get_readiness"]
            assert (name == "ready") == (status == 200) == isinstance(ready.get("active"), bool), (role, found)
            assert (role == "archiver" and name == "ready") == ("behind_s" in ready)
            assert ("ok" if name == "ready" else "starting") == found["get_health"][1]["status"]
