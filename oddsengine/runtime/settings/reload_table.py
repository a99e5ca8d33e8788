"""Which keys a reload applies, and which need a restart: every key of the configuration is in one of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from oddsengine.runtime.settings.schema import SECTION_NAMES, SECTIONS, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BOUND: Final = "the port is bound once"
_SHARED: Final = "every process of the installation must have the same: stop all of them"
_ARCHIVED: Final = "the archiver opens its database once: restart it"
_CONNECTED: Final = "what is published stays where it is: restart one process after the other"
_READ_ONCE: Final = "the token of scrapes is read once"
_TRACED: Final = "what sends traces is set up once"
#: The keys that a running process can't take over, and why.
NEEDS_RESTART: Final[dict[str, str]] = {
    "engine.shards": _SHARED,
    "engine.lease_s": "others count on the time that a lease was taken for: restart one engine after the other",
    "engine.host": _BOUND,
    "engine.port": _BOUND,
    "feeder.host": _BOUND,
    "feeder.port": _BOUND,
    "bridge.kafka": "a bridge does not reload: restart it",
    "bridge.rabbitmq": "a bridge does not reload: restart it",
    "history.host": _BOUND,
    "history.port": _BOUND,
    "history.url": _ARCHIVED,
    "history.directory": _ARCHIVED,
    "history.password_env": _ARCHIVED,
    "history.password_file": _ARCHIVED,
    "history.tls_ca": _ARCHIVED,
    "history.tls_cert": _ARCHIVED,
    "history.tls_key": _ARCHIVED,
    "history.keep_days": _ARCHIVED,
    "history.checkpoint_key": _ARCHIVED,
    "history.checkpoint_s": _ARCHIVED,
    "redis.url": _CONNECTED,
    "redis.url_env": _CONNECTED,
    "redis.url_file": _CONNECTED,
    "redis.namespace": _SHARED,
    "redis.tls_ca": _CONNECTED,
    "redis.tls_cert": _CONNECTED,
    "redis.tls_key": _CONNECTED,
    "metrics.host": _BOUND,
    "metrics.port": _BOUND,
    "metrics.token_env": _READ_ONCE,
    "metrics.token_file": _READ_ONCE,
    "telemetry.endpoint": _TRACED,
    "telemetry.sample_ratio": _TRACED,
    "telemetry.service_name": _TRACED,
    "gateway.host": _BOUND,
    "gateway.port": _BOUND,
    "gateway.workers": "the sockets of workers are bound once",
    "gateway.worker_timeout_s": "the parent of the workers reads it once",
    "gateway.tls_cert": "a renewed file is read again, another name of it is not",
    "gateway.tls_key": "a renewed file is read again, another name of it is not",
}
#: What settings have beside sections.
_NO_SECTIONS: Final = frozenset({"sections", "variables"})
#: The sections, and keys of others, that a reload applies.
LIVE: Final = frozenset(
    {
        "engine.closed_event_ttl_s",
        "engine.results_ttl_s",
        "engine.cross_market_guard",
        "engine.cross_market_solves_per_s",
        "redis.stream_mb",
        "redis.results_mb",
        "gateway.heartbeat_ms",
        "gateway.profile",
        "gateway.quote_history_s",
        "gateway.stale_suspend_after_s",
        "gateway.drain_delay_s",
        "gateway.drain_spread_s",
        "gateway.allowed_origins",
        "gateway.trusted_proxies",
        "auth",
        "limits",
        "commands",
        "quotes",
        "log",
        "ladders",
        "tiers",
        "profiles",
        "feeds",
        "matching",
        "sourcing",
        "webhooks",
    }
)


def config_keys() -> Iterator[str]:
    """Yield every key of the configuration: of sections that are one table `section.key`, of the others the section."""
    for section in SECTION_NAMES:
        kind = SECTIONS.get(section)
        if kind is None:
            yield section
        else:
            yield from (f"{section}.{name}" for name in kind.__struct_fields__)


def is_live(key: str) -> bool:
    """Check whether a reload applies a key, as it is named in logs: `gateway.port`, `profiles.gold`, `feeds.betfair`."""
    return key in LIVE or key.partition(".")[0] in LIVE


def changed_keys(before: Settings, after: Settings, sections: Iterable[str] = Settings.__struct_fields__) -> Iterator[str]:
    """Yield the keys whose values differ: of a section or a table by name, of everything else the key itself."""
    for section in sections:
        if section not in _NO_SECTIONS:
            yield from _changed(section, getattr(before, section), getattr(after, section))


def _changed(path: str, before: Any, after: Any) -> Iterator[str]:
    if before == after and not (isinstance(before, dict) and list(before) != list(after)):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            if before.get(name) != after.get(name):
                yield f"{path}.{name}"
        # The order of feeds and profiles counts.
        if [name for name in before if name in after] != [name for name in after if name in before]:
            yield path
    elif isinstance(before, msgspec.Struct) and type(before) is type(after):
        for name in before.__struct_fields__:
            if getattr(before, name) != getattr(after, name):
                yield f"{path}.{name}"
    else:
        yield path
