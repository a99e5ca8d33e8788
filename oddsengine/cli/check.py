"""`oddsengine check`: what keeps a config from running here, without starting anything."""

from __future__ import annotations

import asyncio
import os
from ipaddress import ip_network
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from feeds.errors import FeedError
from feeds.feed import installed_feeds
from oddsengine.bridge.delivery import BrokerFailed
from oddsengine.gateway.access.authentication import UnusableKey
from oddsengine.gateway.quotes.keys import QuoteKeys
from oddsengine.history.errors import HistoryError
from oddsengine.runtime.archiving.checkpoint_key import load_checkpoint_key
from oddsengine.runtime.archiving.database import check_installed, provide_history
from oddsengine.runtime.certificates import server_context
from oddsengine.runtime.parts.access import build_authenticator
from oddsengine.runtime.parts.bridge import BridgeKind, check_bridge, reach_broker
from oddsengine.runtime.parts.webhooks import open_endpoints
from oddsengine.runtime.processes.front import when_free
from oddsengine.runtime.processes.redis import reach_redis, redis_url_of
from oddsengine.runtime.processes.startup import StartFailed, Startup, Step, reason_of
from oddsengine.runtime.settings.environment import ignored_variables
from oddsengine.runtime.settings.reload_table import NEEDS_RESTART, changed_keys
from oddsengine.runtime.settings.schema import SECTION_NAMES
from oddsengine.runtime.telemetry.tracing import check_telemetry
from oddsengine.streams.clients.url import parse_redis_url
from oddsengine.streams.connection import check_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from oddsengine.runtime.settings import Settings

_CONNECT_TIMEOUT_S: Final = 5.0
_BROKER_ADVICE: Final = "start the broker, or correct its section"


def reload_lines(running: Settings, settings: Settings) -> Iterator[str]:
    """Yield for each key that differs whether a reload applies it, or why it needs a restart."""
    for key in changed_keys(running, settings):
        reason = NEEDS_RESTART.get(key) or NEEDS_RESTART.get(key.partition(".")[0])
        yield f"reload: {key}" if reason is None else f"restart: {key} ({reason})"


async def find_missing(settings: Settings) -> AsyncIterator[StartFailed]:
    """Yield what this machine lacks to run a config: secrets, keys, certificates (also those for Redis) and addresses."""
    plugins = installed_feeds()
    for name, feed in settings.feeds.items():
        if feed.adapter == "simulator":
            continue  # opening it starts it
        try:
            async with plugins[feed.adapter].open(name, feed.config):
                pass
        except (FeedError, OSError) as error:
            yield StartFailed(Step.SECRETS, f"feeds.{name}: {reason_of(error)}")
    for key in settings.auth.keys:
        auth = msgspec.structs.replace(settings.auth, keys=(key,))
        try:
            build_authenticator(msgspec.structs.replace(settings, auth=auth))
        except UnusableKey as error:
            yield StartFailed(Step.SECRETS, str(error))
    for webhook in settings.webhooks:
        try:
            open_endpoints([webhook])
        except ValueError as error:
            yield StartFailed(Step.SECRETS, str(error))
    unusable = _unusable_quote_keys, _unusable_checkpoint_key, _unusable_certificates, _unusable_bridges, _missing_extras
    for problem in chain.from_iterable(find(settings) for find in unusable):
        yield problem
    async for problem in _unusable_hosts(settings):
        yield problem


async def _unusable_hosts(settings: Settings) -> AsyncIterator[StartFailed]:
    for section, host in (("gateway", settings.gateway.host), ("engine", settings.engine.host)):
        try:
            # The configured port may be in use, by the very service that is checked.
            for sock in (await when_free(host, 0, 0, Startup()))[0]:
                sock.close()
        except OSError as error:
            yield StartFailed(Step.BIND, f"{section}.host: {error.strerror or error}")


def _bridges(settings: Settings) -> Iterator[tuple[BridgeKind, Any]]:
    for kind in get_args(BridgeKind):
        if (bridge := getattr(settings.bridge, kind)) is not None:
            yield kind, bridge


def _unusable_bridges(settings: Settings) -> Iterator[StartFailed]:
    for kind, bridge in _bridges(settings):
        try:
            check_bridge(kind, bridge)
        except ValueError as error:
            yield StartFailed(Step.SECRETS, str(error))


def _missing_extras(settings: Settings) -> Iterator[StartFailed]:
    if settings.telemetry.endpoint:
        try:
            check_telemetry()
        except ValueError as error:
            yield StartFailed(Step.SECRETS, str(error), "install the extra, or set no endpoint")
    if settings.history.url:
        try:
            check_installed(is_embedded=settings.history.is_embedded)
        except HistoryError as error:
            yield StartFailed(Step.HISTORY, str(error), "install the extra, or set no history.url")


def _unusable_quote_keys(settings: Settings) -> Iterator[StartFailed]:
    try:
        QuoteKeys(settings.quotes)
    except ValueError as error:
        yield StartFailed(Step.SECRETS, str(error))


def _unusable_checkpoint_key(settings: Settings) -> Iterator[StartFailed]:
    try:
        load_checkpoint_key(settings.history)
    except ValueError as error:
        yield StartFailed(Step.SECRETS, str(error))


def _unusable_certificates(settings: Settings) -> Iterator[StartFailed]:
    gateway, redis = settings.gateway, settings.redis
    try:
        if gateway.tls_cert:
            server_context(gateway.tls_cert, gateway.tls_key)
    except OSError as error:
        yield StartFailed(Step.SECRETS, reason_of(error))
    try:
        if redis.is_given:
            check_files(parse_redis_url(redis.full_url))
    except OSError as error:
        yield StartFailed(Step.SECRETS, f"redis: {reason_of(error)}")
    except ValueError as error:
        yield StartFailed(Step.SECRETS, f"redis.{error}")


def warnings_of(settings: Settings, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield what is allowed, but is hardly meant: variables that are empty, and proxies that are trusted at every address."""
    for name in settings.variables:
        if not environment.get(name):
            yield f"{name} is empty, and so is its key, whatever the file has: what it was to be set from is missing"
    everyone = [network for network in settings.gateway.trusted_proxies if ip_network(network).prefixlen == 0]
    if everyone:
        yield f"gateway.trusted_proxies: {', '.join(everyone)} is every address: a client evades its limits by `X-Forwarded-For`"


def notes_of(settings: Settings, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield what to say of environment variables that stand for a key, of those that look as if they did, and of no Redis."""
    if settings.variables:
        yield f"set by the environment: {', '.join(settings.variables)}"
    for name in ignored_variables(environment, SECTION_NAMES):
        yield f"{name} stands for no key: between a section and its key there are two underscores"
    if not settings.redis.is_given:
        yield "without redis.url only `oddsengine run` and `replay` start, with an embedded Redis that keeps nothing"


async def connection_problems(settings: Settings, timeout_s: float) -> AsyncIterator[StartFailed]:
    """Yield what keeps the Redis of a config from being used."""
    if not settings.redis.is_given:
        return
    startup = Startup()
    try:
        async with asyncio.timeout(timeout_s):
            await reach_redis(settings, redis_url_of(settings, startup), startup)
    except TimeoutError:
        yield StartFailed(Step.CONNECT, startup.waiting_for.removeprefix("Redis: ") or f"no answer within {timeout_s:g} s")
    except StartFailed as problem:
        yield problem


async def history_problems(settings: Settings, timeout_s: float) -> AsyncIterator[StartFailed]:
    """Yield what keeps the history of a config from being used. An embedded server is only started by those that need it."""
    if not settings.history.url or settings.history.is_embedded:
        return
    startup = Startup()
    try:
        async with asyncio.timeout(timeout_s), provide_history(settings, startup):
            pass
    except TimeoutError:
        yield StartFailed(Step.HISTORY, startup.waiting_for or f"no answer within {timeout_s:g} s")
    except StartFailed as problem:
        yield problem


async def broker_problems(settings: Settings) -> AsyncIterator[StartFailed]:
    """Yield what keeps the brokers of a config from being used. A bridge would start, and wait for its own."""
    for kind, bridge in _bridges(settings):
        try:
            await reach_broker(bridge)
        except TimeoutError:
            yield StartFailed(Step.CONNECT, f"bridge.{kind}: no answer from the broker", _BROKER_ADVICE)
        except (ImportError, BrokerFailed) as error:
            yield StartFailed(Step.CONNECT, f"bridge.{kind}: {error}", _BROKER_ADVICE)


async def problems_of(settings: Settings, *, connect: bool, timeout_s: float = _CONNECT_TIMEOUT_S) -> list[StartFailed]:
    """Return what keeps a config from running here, in the order of the steps of a start.

    Args:
        settings: the configuration.
        connect: whether to connect to Redis, PostgreSQL and brokers.
        timeout_s: how long each may take to answer.
    """
    problems = [problem async for problem in find_missing(settings)]
    if connect:
        problems += [problem async for problem in connection_problems(settings, timeout_s)]
        if not any(problem.step is Step.HISTORY for problem in problems):
            problems += [problem async for problem in history_problems(settings, timeout_s)]
        problems += [problem async for problem in broker_problems(settings)]
    return problems
