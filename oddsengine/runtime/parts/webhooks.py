"""Runs the webhooks of a process that has an engine."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from feeds.errors import FeedError
from feeds.toolkit.credentials import load_ca
from oddsengine.common.clock import CLOCK
from oddsengine.common.redaction import SECRETS
from oddsengine.common.reporting.outages import Outage
from oddsengine.common.settings.secret_keys import read_secret_key
from oddsengine.runtime.feeding.running import member_name
from oddsengine.runtime.parts.sole_worker import run_worker
from oddsengine.runtime.reload import ReloadedPart
from oddsengine.webhooks.deliverer import Endpoint
from oddsengine.webhooks.service import Webhooks
from oddsengine.webhooks.signing import parse_secrets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from oddsengine.runtime.settings import Settings
    from oddsengine.webhooks.settings import WebhookSettings
    from oddsengine.webhooks.watch import EngineView

_RENEW_S: Final = 10.0
_UNUSABLE: Final = Outage("webhook secret unusable, signing with the last one", "webhook secret usable again")
#: A path and query that are longer may contain a key.
_PLAIN_PATH_LENGTH: Final = 20


def open_endpoints(webhooks: Iterable[WebhookSettings], environment: Mapping[str, str] = os.environ) -> list[Endpoint]:
    """Read the secrets and authorities of webhooks. No log line or error contains a secret, or a URL's path and query.

    Raises:
        ValueError: if one is missing or malformed, with the name of the webhook.
    """
    return [_open(webhook, environment) for webhook in webhooks]


def _open(webhook: WebhookSettings, environment: Mapping[str, str]) -> Endpoint:
    where = f"webhooks {webhook.label}"
    try:
        text = read_secret_key(webhook, "secret", environment, masked=False)
        keys = parse_secrets(text)
        tls = load_ca(webhook.ca_file)
    except (FeedError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None
    for secret in text.split():
        SECRETS.add(secret)
        SECRETS.add(secret.removeprefix("whsec_"))
    parts = urlsplit(webhook.url)
    if len(path := parts._replace(scheme="", netloc="", fragment="").geturl()) > _PLAIN_PATH_LENGTH:
        SECRETS.add(path)
    return Endpoint(webhook, keys, tls)


def webhooks_part(webhooks: Webhooks) -> ReloadedPart:
    """Return what a reload does with the webhooks of this process."""

    async def prepare(settings: Settings) -> Callable[[], None]:
        endpoints = open_endpoints(settings.webhooks)
        return lambda: webhooks.use(endpoints)

    return ReloadedPart(frozenset({"webhooks"}), prepare)


def renew_secrets(webhooks: Webhooks) -> None:
    """Read the files of secrets again, and sign with what is in them now. One that can't be used changes nothing."""
    before = webhooks.endpoints
    try:
        after = [_open(each.settings, os.environ) if each.settings.secret_file else each for each in before]
    except ValueError as error:
        _UNUSABLE.failed("webhooks", "unusable", error=str(error))
        return
    _UNUSABLE.worked("webhooks")
    if [each.keys for each in before] != [each.keys for each in after]:
        webhooks.use(after)


async def _keep_secrets(webhooks: Webhooks) -> None:
    while True:
        await asyncio.sleep(_RENEW_S)
        renew_secrets(webhooks)


@asynccontextmanager
async def run_webhooks(
    settings: Settings, redis_url: str, engine: EngineView, endpoints: list[Endpoint]
) -> AsyncIterator[Webhooks]:
    """Watch and deliver until the context is left, if no other process of the installation does.

    Leave it, or stop what it yields, before feeds are disconnected, which is no news to anybody.

    Args:
        settings: the configuration.
        redis_url: the Redis with the outbox.
        engine: the engine of this process.
        endpoints: the endpoints.
    """
    name, namespace, shards = member_name(), settings.redis.namespace, settings.engine.shards
    options: Any = {"lease_s": settings.engine.lease_s, "now_ms": CLOCK.now_ms, "wall_ms": CLOCK.wall_ms}
    async with run_worker(
        redis_url, lambda redis: Webhooks(name, redis, namespace, shards, engine, endpoints, **options), _keep_secrets
    ) as webhooks:
        yield webhooks
