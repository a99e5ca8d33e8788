"""The speed at which the history is written, asked and verified, and what it takes, with as many changes as fit in some minutes.

Questions are asked one after another, of random markets at random times, over the whole history. The archiver's rate is that of
its rows and its writing, PostgreSQL included, without the making of entries.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, Final

from bench.history import beside
from bench.history.filling import FIRST_MS, PROFILES, SHARDS, Filler
from bench.reporting.progress import report_progress, track_progress
from bench.reporting.row import Row
from oddsengine.domain.ids import MarketId
from oddsengine.engine.explain import explain
from oddsengine.engine.pipeline import Pipeline
from oddsengine.history.database import Database, claim_installation
from oddsengine.history.embedded.server import EmbeddedPostgres
from oddsengine.history.questions.commands import CommandQuestions
from oddsengine.history.questions.cursors import before
from oddsengine.history.questions.explanations import ExplanationQuestions
from oddsengine.history.questions.markets import MarketQuestions
from oddsengine.history.questions.pool import HistoryPool
from oddsengine.history.questions.sightings import Absence
from oddsengine.history.schema.migrations import migrate
from oddsengine.history.verification.verifier import Verifier
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_batch, a_definition, a_quote, live, market_updates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.history.filling import Filled
    from oddsengine.history.verification.verifier import Verified

_FILL_S: Final = 150.0
_ASKED: Final = 500
#: Asked before anything is measured: connections are opened, catalogues are read.
_WARM_UP: Final = 20
_PAGE: Final = 100
_GOAL_MS: Final = 50.0
_VERIFY_GOAL: Final = 100_000
#: How many entries of one change are verified.
_SINGLE: Final = 500_000
_NAMESPACE: Final = "bench"
_TABLES: Final = ("entries", "changes", "records", "commands")
_BYTES: Final = """
    SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relkind = 'r' AND coalesce(i.inhparent::regclass::text, c.relname) = $1
"""


def _explainer() -> Callable[[MarketId, int], dict[str, Any]]:
    """Return what returns an explanation of a market, as an engine makes it."""
    pipeline = Pipeline(Pricer({name: Profile(book_sum=1.05) for name in PROFILES}), ("src",))
    pipeline.receive(live(), 1)
    books = (a_quote("home", 2.5), a_quote("draw", 3.4), a_quote("away", 3.2))
    pipeline.receive(a_batch(*market_updates(a_definition(selections=("home", "draw", "away")), *books)), 1)
    pipeline.flush(0, 1)
    sample = explain(pipeline, MarketId("e1/match_odds"), 1)
    if sample is None:
        raise RuntimeError("the market that is explained is not on offer")
    return lambda market, v: {**sample, "market": market, "v": v}


async def _ask(ask: Callable[[random.Random], Awaitable[Any]], what: str) -> list[Row]:
    """Return how long questions take."""
    chance = random.Random(what)  # noqa: S311 - no secret depends on it
    for _ in range(_WARM_UP):
        await ask(chance)
    times_ms, absent = [], 0
    for _ in track_progress(range(_ASKED), f"asking: {what}"):
        began_s = time.perf_counter()
        absent += isinstance(await ask(chance), Absence)
        times_ms.append((time.perf_counter() - began_s) * 1000)
    if absent:
        raise RuntimeError(f"{what}: {absent} of {_ASKED} questions had no answer")
    times_ms.sort()
    p50, p99 = times_ms[_ASKED // 2], times_ms[_ASKED * 99 // 100]
    return [
        Row(scenario="history", metric=f"{what}, p50", value=p50, unit="ms"),
        Row(scenario="history", metric=f"{what}, p99", value=p99, unit="ms", goal=_GOAL_MS, met=p99 <= _GOAL_MS),
    ]


async def _questions(database: Database, filled: Filled) -> list[Row]:
    pool = HistoryPool(lambda: database, _NAMESPACE)
    markets = MarketQuestions(pool, lambda _: (0, 0))
    explanations, commands = ExplanationQuestions(pool, markets), CommandQuestions(pool)

    def at(chance: random.Random) -> int:
        return chance.randrange(FIRST_MS + 1, filled.last_ms)

    def market(chance: random.Random) -> MarketId:
        return chance.choice(filled.markets)

    try:
        return [
            *await _ask(lambda chance: markets.at(market(chance), at(chance), chance.choice(PROFILES)), "price"),
            *await _ask(
                lambda chance: markets.changes(market(chance), before(at(chance)), None, chance.choice(PROFILES), _PAGE),
                f"page of {_PAGE} changes",
            ),
            *await _ask(lambda chance: explanations.explain(market(chance), at(chance)), "explanation"),
            *await _ask(
                lambda chance: commands.steps(at(chance), filled.last_ms, None, (-1, -1), _PAGE), f"page of {_PAGE} commands"
            ),
        ]
    finally:
        await pool.close()


async def _sizes(database: Database, filled: Filled) -> list[Row]:
    rows = []
    total = 0.0
    for table in _TABLES:
        count = (await database.fetch(f"SELECT count(*) FROM {table}"))[0][0]  # noqa: S608 - of constants
        size = float((await database.fetch(_BYTES, table))[0][0])
        total += size
        rows += [
            Row(scenario="history", metric=f"rows of {table} of a million changes", value=count / filled.changes * 1e6, unit=""),
            Row(scenario="history", metric=f"size of {table} of a million changes", value=size / filled.changes, unit="MB"),
        ]
    return [*rows, Row(scenario="history", metric="size of a million changes", value=total / filled.changes, unit="MB")]


async def _verify(database: Database) -> tuple[Verified, float]:
    report_progress("verifying")
    began_s = time.monotonic()
    found = await Verifier(database, {}).run()
    seconds = time.monotonic() - began_s
    if found.problems:
        raise RuntimeError(f"the history is not whole: {found.problems[0]}")
    return found, seconds


async def _verify_entries() -> list[Row]:
    """Return how fast entries of one change are verified, which is most of the entries of an engine that is not busy."""
    async with EmbeddedPostgres() as server:
        database = Database(server.url)
        await migrate(database.connect)
        connection = await database.connect()
        try:
            await claim_installation(connection, _NAMESPACE, SHARDS, FIRST_MS)
            report_progress(f"filling with {_SINGLE:,} entries of one change")
            await Filler(connection, _explainer(), per_entry=1).fill(_SINGLE, float("inf"))
            await connection.execute("VACUUM ANALYZE")
        finally:
            await connection.close()
        found, seconds = await _verify(database)
    rate = found.entries / seconds
    return [
        Row(
            scenario="history",
            metric=f"entries verified, {found.changes:,} changes in {found.entries:,}",
            value=rate,
            unit="entries/s",
            reference="100,000 a second",
            ratio=rate / _VERIFY_GOAL,
            goal=1.0,
            met=rate >= _VERIFY_GOAL,
        )
    ]


async def _measure(changes: int | None) -> list[Row]:
    began_s = time.monotonic()
    async with EmbeddedPostgres() as server:
        database = Database(server.url)
        await migrate(database.connect)
        connection = await database.connect()
        try:
            await claim_installation(connection, _NAMESPACE, SHARDS, FIRST_MS)
            report_progress("filling" if changes is None else f"filling with {changes:,} changes")
            filler = Filler(connection, _explainer())
            filled = await filler.fill(changes or 1 << 62, began_s + _FILL_S if changes is None else float("inf"))
            # As autovacuum does it from time to time.
            await connection.execute("VACUUM ANALYZE")
        finally:
            await connection.close()
        report_progress(f"{filled.changes:,} changes of {(filled.last_ms - FIRST_MS) / 86_400_000:.1f} days")
        rows = [
            Row(scenario="history", metric="changes", value=filled.changes, unit=""),
            Row(scenario="history", metric="archived", value=filled.changes / filled.seconds, unit="changes/s"),
        ]
        rows += await _questions(database, filled)
        rows += await _sizes(database, filled)
        found, seconds = await _verify(database)
        metric = f"entries verified, {found.changes:,} changes in {found.entries:,}"
        return [*rows, Row(scenario="history", metric=metric, value=found.entries / seconds, unit="entries/s")]


def run(changes: int | None = None) -> list[Row]:
    """Fill a history and measure it.

    Args:
        changes: how many changes it gets; None for as many as fit in two and a half minutes.
    """
    return [*asyncio.run(_measure(changes)), *asyncio.run(_verify_entries()), *beside.run()]
