"""Costs of an archiver on the other core to whoever publishes, and how many changes a second it archives there.

A publisher publishes as fast as it can, with Redis on its core, in turns without an archiver, beside one, and beside one that
archives what another publisher has published to another Redis before: what that costs is the machine's, since both cores share
caches and memory, and not the archiver's. What an archiver has missed it archives between the turns. Then it archives what was
published while it was stopped.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from redis.asyncio import Redis

from bench.history.publisher import NAMESPACE
from bench.load.processes import (
    LOAD_CORES,
    SERVER_CORE,
    ControlledProcess,
    cpu_s_of,
    leave_server_core,
    module_running,
    process_running,
)
from bench.reporting.progress import report_progress
from bench.reporting.row import Row
from oddsengine.history.archive.writer import read_position
from oddsengine.history.database import Database
from oddsengine.history.embedded.server import EmbeddedPostgres
from oddsengine.history.schema.migrations import migrate
from tests.support.service import redis_in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PER_ENTRY: Final = 20
_SECONDS: Final = 3.0
_BACKLOG_S: Final = 8.0
_GOAL: Final = 0.98
#: Beside what a publisher publishes: nothing, an archiver of what it publishes, an archiver of something else.
_ALONE, _BESIDE, _ELSEWHERE = "without", "beside one", "beside one of another Redis"
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


class _Side(NamedTuple):
    """A publisher with a Redis, and an archiver of it with a database."""

    publisher: ControlledProcess
    archiver: ControlledProcess
    database: Database
    redis_pid: int

    def processor_s(self) -> float:
        return self.publisher.cpu_s() + cpu_s_of(self.redis_pid)


class _Turn(NamedTuple):
    """The changes published, a second and a second of processor time of publisher and Redis."""

    rate: float
    per_processor_s: float


def _turn(side: _Side, *, archiver: ControlledProcess | None) -> _Turn:
    """Publish for a turn, beside an archiver that goes on meanwhile or none."""
    if archiver:
        archiver.resume()
    began_s = side.processor_s()
    answer = _published(side.publisher, _SECONDS)
    turn = _Turn(answer["rate"], answer["published"] / (side.processor_s() - began_s))
    if archiver:
        archiver.pause()
    return turn


def _ratio_rows(turns: dict[str, list[_Turn]], beside: str, reference: str, name: str) -> list[Row]:
    pairs = list(zip(turns[beside], turns[reference], strict=True))
    rate = median(with_it.rate / without.rate for with_it, without in pairs)
    cost = median(with_it.per_processor_s / without.per_processor_s for with_it, without in pairs)
    return [
        Row(
            scenario="history",
            metric=f"{name}, median of {len(pairs)} turns",
            value=rate * median(turn.rate for turn in turns[reference]),
            unit="changes/s",
            reference=reference,
            ratio=rate,
            goal=_GOAL,
            met=rate >= _GOAL,
        ),
        Row(
            scenario="history",
            metric="the same, in a second of processor time of publisher and Redis",
            value=cost,
            unit="times",
            reference=reference,
            ratio=cost,
            goal=_GOAL,
            met=cost >= _GOAL,
        ),
    ]


async def _turns(side: _Side, other: _Side, rounds: int) -> list[Row]:
    for each in (side, other):
        await _until_archived(each.database, _published(each.publisher, 1.0))
        each.archiver.pause()
    turns: dict[str, list[_Turn]] = {_ALONE: [], _BESIDE: [], _ELSEWHERE: []}
    for number in range(rounds):
        report_progress(f"publishing with and without an archiver: {number + 1} of {rounds}")
        kinds = {_ALONE: None, _BESIDE: side.archiver, _ELSEWHERE: other.archiver}
        for kind in sorted(kinds, reverse=number % 2 == 1):
            # As much as it would have to archive if it were beside its own publisher.
            _published(other.publisher, _SECONDS)
            turns[kind].append(_turn(side, archiver=kinds[kind]))
            for each in (side, other):
                each.archiver.resume()
                await _until_archived(each.database, _published(each.publisher, 0.1))
                each.archiver.pause()
    return [
        Row(
            scenario="history",
            metric="published without an archiver",
            value=median(turn.rate for turn in turns[_ALONE]),
            unit="changes/s",
        ),
        *_ratio_rows(turns, _BESIDE, _ALONE, "published with one on the other core"),
        *_ratio_rows(turns, _BESIDE, _ELSEWHERE, "published with one on the other core, beside the machine's own cost"),
        *await _limit_rows(side, median(turn.rate for turn in turns[_ALONE])),
    ]


async def _limit_rows(side: _Side, alone: float) -> list[Row]:
    database, publisher, archiver = side.database, side.publisher, side.archiver
    archiver.resume()
    await _until_archived(database, _published(publisher, 0.1))
    archiver.pause()
    cpu_s = archiver.cpu_s()
    missed = _published(publisher, _BACKLOG_S)
    archiver.resume()
    began_s = time.monotonic()
    await _until_archived(database, missed)
    seconds = time.monotonic() - began_s
    return [
        Row(
            scenario="history",
            metric="archived on the other core, with PostgreSQL there",
            value=missed["published"] / seconds,
            unit="changes/s",
            reference="published on the first core, as fast as it can",
            ratio=missed["published"] / seconds / alone,
        ),
        Row(
            scenario="history",
            metric="processor time of the archiver itself",
            value=(archiver.cpu_s() - cpu_s) / missed["published"] * 1e6,
            unit="us/change",
        ),
    ]


async def _pid_of(redis_url: str) -> int:
    redis = Redis.from_url(redis_url)
    try:
        return int((await redis.info("server"))["process_id"])
    finally:
        await redis.aclose()


@asynccontextmanager
async def _side(redis_url: str) -> AsyncIterator[_Side]:
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
                redis_pid = await _pid_of(redis_url)
                if os.sched_getaffinity(redis_pid) != SERVER_CORE:
                    raise RuntimeError("Redis is not on the core of the publisher")
                yield _Side(publisher, archiver, database, redis_pid)


async def _measure(redis_url: str, other_url: str, rounds: int) -> list[Row]:
    async with _side(redis_url) as side, _side(other_url) as other:
        return await _turns(side, other, rounds)


def run(rounds: int = 8) -> list[Row]:
    """Measure with the publisher and Redis on one core, the archiver and PostgreSQL on the others."""
    os.sched_setaffinity(0, SERVER_CORE)
    with redis_in_thread() as redis_url, redis_in_thread() as other_url:
        leave_server_core()
        return asyncio.run(_measure(redis_url, other_url, rounds))
