"""Runs an engine: the owner of some or all shards."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import structlog

from oddsengine.common.clock import CLOCK
from oddsengine.common.tasks import end_tasks
from oddsengine.engine.engine import Engine, Retention
from oddsengine.engine.http_api import engine_app
from oddsengine.gateway.access.admission import Admission
from oddsengine.gateway.access.grants import Role
from oddsengine.pricing.guards.score_grid import ScoreGuard
from oddsengine.pricing.pricer import Pricer
from oddsengine.runtime.feed_runner import sources_by_feed
from oddsengine.runtime.feeding.running import member_name
from oddsengine.runtime.parts.access import build_admission, without_anonymous
from oddsengine.runtime.processes.front import Front, open_front, url_of
from oddsengine.runtime.processes.redis import identified
from oddsengine.runtime.processes.startup import Startup, Step
from oddsengine.runtime.reload import ReloadedPart, applying
from oddsengine.runtime.timing import DEFAULT_TIMING
from oddsengine.streams.connection import keep_on_primary, open_client
from oddsengine.streams.floor.board import FloorBoard
from oddsengine.streams.floor.reporter import FloorReporter
from oddsengine.streams.installation import Installation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from prometheus_client import CollectorRegistry

    from oddsengine.domain.ladders import Ladder
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.telemetry.http_observer import HttpObserver
    from oddsengine.runtime.telemetry.scrapes import Scrapes
    from oddsengine.runtime.telemetry.tracing import Tracing
    from oddsengine.runtime.timing import Timing

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def run_engine(
    settings: Settings,
    redis_url: str,
    sources: Sequence[str],
    *,
    startup: Startup | None = None,
    timing: Timing = DEFAULT_TIMING,
    warm_up_s: float = 0.0,
    tracing: Tracing | None = None,
) -> AsyncIterator[Engine]:
    """Claim the shards that nobody owns, and publish until the context is left. Then suspend every market still owned.

    Args:
        settings: the configuration.
        redis_url: the Redis to publish to.
        sources: the sources of the feeds, most preferred first.
        startup: its step is OWN until the shards are taken over.
        timing: the intervals of its checks and heartbeats.
        warm_up_s: for how long to take nothing over before the sources are followed; see `Ownership`.
        tracing: makes spans; None if nothing is traced.
    """
    startup = startup or Startup()
    async with AsyncExitStack() as stack:
        if settings.engine.cross_market_guard:
            ScoreGuard.load()
        redis = open_client(redis_url, timing.socket_timeout_s)
        stack.push_async_callback(redis.aclose)
        engine = Engine(
            redis,
            settings.redis.namespace,
            Pricer(settings.profiles, settings.tiers, settings.engine.solves_per_s),
            sources,
            shards=settings.engine.shards,
            retention=_retention(settings),
            now_ms=CLOCK.now_ms,
            wall_ms=CLOCK.wall_ms,
            sourcing=settings.sourcing,
            matching=settings.matching,
            heartbeat_s=timing.heartbeat_s,
            name=member_name(),
            lease_s=settings.engine.lease_s,
            warm_up_s=warm_up_s,
        )
        engine.ownership.price_by(rules_digest(settings))
        if tracing is not None:
            for writer in engine.writers:
                writer.timer.trace = tracing.publication
        installation = Installation(redis, settings.redis.namespace, settings.engine.shards)
        await identified(redis, startup, installation.declare)
        with startup.doing(Step.OWN):
            await startup.unless_stopped(engine.take_over())
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(engine.run(), name="engine")
            watching = group.create_task(CLOCK.watch(engine.follow_clock), name="clock")
            declaring = group.create_task(installation.keep_declared(), name="installation")
            moving = group.create_task(keep_on_primary(redis), name="primary")
            reporter = FloorReporter(
                FloorBoard(redis, settings.redis.namespace), engine.feeds, partial(_reported_pairs, engine), time.monotonic
            )
            reporting = group.create_task(reporter.run(), name="floor")
            try:
                yield engine
            finally:
                try:
                    await engine.stop(timing.last_write_s)
                finally:
                    await end_tasks([publishing, declaring, watching, moving, reporting])


def _reported_pairs(engine: Engine) -> list[dict[str, Any]] | None:
    """Return the doubtful pairs, None if another engine is to report them: the owner of the first shard does."""
    return engine.unmatched() if 0 in engine.ownership.owned else None


def engine_parts(engine: Engine) -> list[ReloadedPart]:
    """Return what a reload does with how markets choose their sources, which events are the same, and how long what is kept."""
    rules = {
        "profiles",
        "tiers",
        "engine.cross_market_guard",
        "engine.cross_market_solves_per_s",
        "sourcing",
        "matching",
        "feeds",
    }
    kept = {"engine.closed_event_ttl_s", "engine.results_ttl_s", "redis.stream_mb", "redis.results_mb"}
    return [
        ReloadedPart(frozenset({"sourcing"}), applying(lambda settings: engine.choose_by(settings.sourcing))),
        ReloadedPart(frozenset({"matching"}), applying(lambda settings: engine.match_by(settings.matching))),
        ReloadedPart(frozenset(rules), applying(lambda settings: engine.ownership.price_by(rules_digest(settings)))),
        ReloadedPart(frozenset(kept), applying(lambda settings: engine.keep(_retention(settings)))),
    ]


def rules_digest(settings: Settings) -> str:
    """Return a digest of what decides which prices an engine publishes: all engines of an installation need the same."""
    ordered = [list(settings.profiles.items()), list(settings.tiers.items()), list(sources_by_feed(settings.feeds).items())]
    rules = [*ordered, settings.sourcing, settings.matching, settings.engine.solves_per_s]
    plain = _without_places(msgspec.to_builtins(rules, enc_hook=_encode_ladder, order="deterministic"))
    return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()[:16]


def _without_places(value: Any) -> Any:
    """Leave out in which file, and in which line of it, a rule stands."""
    if isinstance(value, dict):
        return {name: _without_places(each) for name, each in value.items() if name != "_place"}
    return [_without_places(each) for each in value] if isinstance(value, list | tuple) else value


def _encode_ladder(ladder: Ladder) -> tuple[str, str]:
    return ladder.name, repr(ladder.ticks)


def _retention(settings: Settings) -> Retention:
    return Retention(
        closed_event_ttl_s=settings.engine.closed_event_ttl_s,
        results_ttl_s=settings.engine.results_ttl_s,
        stream_bytes=round(settings.redis.stream_mb * 1_000_000),
        results_bytes=round(settings.redis.results_mb * 1_000_000),
    )


class EngineFront(NamedTuple):
    """An engine that is bound, and answers that it is starting."""

    front: Front
    admission: Admission


@asynccontextmanager
async def open_engine(settings: Settings, startup: Startup) -> AsyncIterator[EngineFront]:
    """Read the keys, bind the engine's port and answer that it is starting, until the context is left.

    Args:
        settings: the configuration.
        startup: its steps are SECRETS and BIND meanwhile.
    """
    with startup.doing(Step.SECRETS):
        admission = build_admission(without_anonymous(settings, "engine.host", settings.engine.host))
    async with open_front(settings.engine.host, settings.engine.port, startup) as front:
        _log.info("listening", url=url_of(settings.engine.host, front.port))
        yield EngineFront(front, admission)


@asynccontextmanager
async def serve_engine_api(
    engine: Engine, registry: CollectorRegistry, opened: EngineFront, scrapes: Scrapes, observer: HttpObserver, *, local: bool
) -> AsyncIterator[None]:
    """Serve the engine's own HTTP API, `/healthz` and `/metrics`, while the context is open.

    Args:
        engine: the engine.
        registry: the metrics of `/metrics`.
        opened: where it listens.
        scrapes: admits scrapes.
        observer: is called with every answer.
        local: whether only this machine can connect, so that `/metrics` needs no token.
    """
    authorise = opened.admission.authorise
    authorise_scrape = scrapes.guard(None if local else partial(authorise, role=Role.service))
    app = engine_app(engine, registry, partial(authorise, role=Role.trader), authorise_scrape)
    async with opened.front.serving(app, observer), scrapes.serving(registry):
        yield
