"""Costs of an archiver on the other core to whoever publishes, and how many changes a second it archives there.

A publisher publishes as fast as it can, with Redis on its core, in turns with and without an archiver: the archiver is stopped
meanwhile, and what it has missed it archives in its next turn too. Then it archives what was published while it was stopped.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from redis.asyncio import Redis

from bench.history.publisher import NAMESPACE
from bench.load.processes import LOAD_CORES, SERVER_CORE, cpu_s_of, leave_server_core, module_running, process_running
from bench.reporting.progress import report_progress
from bench.reporting.row import Row
from oddsengine.history.archive.writer import read_position
from oddsengine.history.database import Database
from oddsengine.history.embedded.server import EmbeddedPostgres
from oddsengine.history.schema.migrations import migrate
from tests.support.service import redis_in_thread

if TYPE_CHECKING:
    from bench.load.processes import ControlledProcess

_PER_ENTRY: Final = 20
_SECONDS: Final = 3.0
_BACKLOG_S: Final = 8.0
_GOAL: Final = 0.98
_CONFIG: Final = """
[redis]
url = "{redis}"
namespace = "{namespace}"
[engine]
lease_s = 60.0
[history]
url = "{history}"
"""


def _published(publisher: ControlledProcess, seconds: float) -> dict[str, float]:
    return publisher.request(json.dumps({"seconds": seconds, "rate": None}))


async def _until_archived(database: Database, answer: dict[str, float]) -> None:
    connection = await database.connect()
    try:
        # Nothing here is told when the database has something.
        while (await read_position(connection, "0"))[:2] < (answer["epoch"], answer["seq"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def _turns(
    database: Database, publisher: ControlledProcess, archiver: ControlledProcess, redis_pid: int, rounds: int
) -> list[Row]:
    await _until_archived(database, _published(publisher, 1.0))
    ratios: list[float] = []
    costs: list[float] = []
    alone: list[float] = []
    for number in range(rounds):
        report_progress(f"publishing with and without an archiver: {number + 1} of {rounds}")
        rates, cpu = {}, {}
        for is_beside in (False, True) if number % 2 else (True, False):
            (archiver.resume if is_beside else archiver.pause)()
            began_s = publisher.cpu_s() + cpu_s_of(redis_pid)
            answer = _published(publisher, _SECONDS)
            rates[is_beside] = answer["rate"]
            cpu[is_beside] = answer["published"] / (publisher.cpu_s() + cpu_s_of(redis_pid) - began_s)
        costs.append(cpu[True] / cpu[False])
        ratios.append(rates[True] / rates[False])
        alone.append(rates[False])
    archiver.resume()
    await _until_archived(database, _published(publisher, 0.1))
    archiver.pause()
    cpu_s = archiver.cpu_s()
    missed = _published(publisher, _BACKLOG_S)
    archiver.resume()
    began_s = time.monotonic()
    await _until_archived(database, missed)
    seconds = time.monotonic() - began_s
    ratio = median(ratios)
    return [
        Row(scenario="history", metric="published without an archiver", value=median(alone), unit="changes/s"),
        Row(
            scenario="history",
            metric=f"published with one on the other core, median of {rounds} turns",
            value=ratio * median(alone),
            unit="changes/s",
            reference="without",
            ratio=ratio,
            goal=_GOAL,
            met=ratio >= _GOAL,
        ),
        Row(
            scenario="history",
            metric="the same, in a second of processor time of publisher and Redis",
            value=median(costs),
            unit="times",
            reference="without",
            ratio=median(costs),
            goal=_GOAL,
            met=median(costs) >= _GOAL,
        ),
        Row(
            scenario="history",
            metric="archived on the other core, with PostgreSQL there",
            value=missed["published"] / seconds,
            unit="changes/s",
            reference="published on the first core, as fast as it can",
            ratio=missed["published"] / seconds / median(alone),
        ),
        Row(
            scenario="history",
            metric="processor time of the archiver itself",
            value=(archiver.cpu_s() - cpu_s) / missed["published"] * 1e6,
            unit="us/change",
        ),
    ]


async def _measure(redis_url: str, rounds: int) -> list[Row]:
    async with EmbeddedPostgres(gives_way=True) as server:
        database = Database(server.url)
        await migrate(database.connect)
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "odds.toml"
            config.write_text(_CONFIG.format(redis=redis_url, namespace=NAMESPACE, history=server.url), encoding="utf-8")
            command = [sys.executable, "-m", "oddsengine", "archiver", "--config", str(config), "--until-eof"]
            with (
                module_running("bench.history.publisher", redis_url, str(_PER_ENTRY), cores=SERVER_CORE) as publisher,
                process_running(command, LOAD_CORES) as archiver,
            ):
                publisher.read_line()
                redis = Redis.from_url(redis_url)
                redis_pid = int((await redis.info("server"))["process_id"])
                await redis.aclose()
                if os.sched_getaffinity(redis_pid) != SERVER_CORE:
                    raise RuntimeError("Redis is not on the core of the publisher")
                return await _turns(database, publisher, archiver, redis_pid, rounds)


def run(rounds: int = 8) -> list[Row]:
    """Measure with the publisher and Redis on one core, the archiver and PostgreSQL on the others."""
    os.sched_setaffinity(0, SERVER_CORE)
    with redis_in_thread() as redis_url:
        leave_server_core()
        return asyncio.run(_measure(redis_url, rounds))
