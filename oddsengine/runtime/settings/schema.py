"""The sections of the configuration file as types. docs/configuration.md describes each key."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from feeds.supervision.settings import Supervision
from oddsengine.bridge.settings import BridgeSettings
from oddsengine.common.settings.secret_keys import check_secrets, read_secret_key
from oddsengine.gateway.access.origins import AllowedOrigins
from oddsengine.gateway.access.settings import AuthSettings, LimitSettings
from oddsengine.gateway.commands.settings import CommandSettings
from oddsengine.gateway.quotes.settings import QuoteSettings
from oddsengine.history.settings import HistorySettings
from oddsengine.pricing.guards.score_grid import DEFAULT_SOLVES_PER_S
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.runtime.settings.telemetry import MetricsSettings, TelemetrySettings
from oddsengine.sourcing.matching.matcher import MatchingSettings
from oddsengine.sourcing.sourcing_rule import SourcingRule
from oddsengine.streams.clients.url import parse_redis_url
from oddsengine.webhooks.settings import WebhookSettings


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`shards` is the number of change streams, `lease_s` how long an engine owns its own without renewing its lease.

    `closed_event_ttl_s` is how long an ended event stays on offer, `results_ttl_s` how long its results are answered for after
    that. `host` and `port` are where `oddsengine engine` serves its own API.

    `cross_market_guard` compares an event's markets on one score, with at most `cross_market_solves_per_s` linear programs.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    shards: Annotated[int, Meta(ge=1, le=256)] = 1
    lease_s: Annotated[float, Meta(ge=0.5, le=60)] = 2.0
    closed_event_ttl_s: Annotated[float, Meta(ge=0)] = 600.0
    results_ttl_s: Annotated[float, Meta(ge=0)] = 604_800.0
    cross_market_guard: bool = True
    cross_market_solves_per_s: Annotated[float, Meta(ge=1, le=1000)] = DEFAULT_SOLVES_PER_S

    @property
    def solves_per_s(self) -> float:
        """The budget of the guard across markets, 0 where it is off."""
        return self.cross_market_solves_per_s if self.cross_market_guard else 0.0


class FeederSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`host` and `port` are where `oddsengine feeder` serves `/healthz`, `/readyz`, `/metrics` and the status of its feeds."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without a `url` an embedded server is started; `url_env` is a variable, `url_file` a file that has it.

    `namespace` separates installations that share a Redis.

    `stream_mb` is how many MB of changes the stream of each shard keeps, `results_mb` how many MB of results each shard does.
    `tls_ca` is a file with the authorities that sign certificates of servers, `tls_cert` and `tls_key` are this client's own.
    """

    url: str = ""
    url_env: str = ""
    url_file: str = ""
    namespace: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$")] = "odds"
    stream_mb: Annotated[float, Meta(ge=1, le=100_000)] = 64.0
    results_mb: Annotated[float, Meta(ge=1, le=100_000)] = 256.0
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""

    def __post_init__(self) -> None:
        check_secrets(self)
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError(f"{'tls_cert' if self.tls_cert else 'tls_key'}: set both tls_cert and tls_key, or neither")
        if not self.is_given and self._files:
            raise ValueError(f"{next(iter(self._files.values()))[0]} needs a url")
        if self.url:
            self._check(self.url)

    def _check(self, url: str) -> None:
        try:
            address = parse_redis_url(url)
        except ValueError as error:
            raise ValueError(f"url: {error}") from None
        for option, (key, _) in self._files.items():
            if not address.tls:
                raise ValueError(f"{key} needs a url with rediss://, rediss+sentinel:// or rediss+cluster://")
            if option in address.options:
                raise ValueError(f"{key}: the url has it too, as {option}")

    @property
    def is_given(self) -> bool:
        """Whether the config names a server."""
        return bool(self.url or self.url_env or self.url_file)

    @property
    def full_url(self) -> str:
        """The URL with the files of the other keys as its options, empty if none is given.

        Raises:
            ValueError: if the variable or the file that has it is missing, or what it has is no URL.
        """
        # As a whole it is no secret: its password is one, which logs mask in every URL.
        url = read_secret_key(self, "url", masked=False)
        if url and not self.url:
            try:
                self._check(url)
            except ValueError as error:
                raise ValueError(f"{'url_env' if self.url_env else 'url_file'}: {str(error).removeprefix('url: ')}") from None
        options = urlencode({option: file for option, (_, file) in self._files.items()})
        return f"{url}{'&' if '?' in url else '?'}{options}" if options else url

    @property
    def _files(self) -> dict[str, tuple[str, str]]:
        """Option of a URL -> key and file."""
        keys = {"ssl_ca_certs": "tls_ca", "ssl_certfile": "tls_cert", "ssl_keyfile": "tls_key"}
        return {option: (key, file) for option, key in keys.items() if (file := getattr(self, key))}


#: An idle engine writes every second: a shorter gap is not yet silence.
_MIN_STALE_SUSPEND_AFTER_S: Final = 2.0


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of where the gateway listens and how it serves subscribers."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    heartbeat_ms: Annotated[int, Meta(ge=500, le=60_000)] = 5000
    profile: str = "default"
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    #: how long a worker's event loop may stand still before the worker is replaced
    worker_timeout_s: Annotated[float, Meta(ge=2)] = 5.0
    quote_history_s: Annotated[float, Meta(ge=0, le=600)] = 10.0
    stale_suspend_after_s: Annotated[float, Meta(ge=0)] = 3.0
    #: how long a gateway that is asked to stop serves on, unready, before it drains
    drain_delay_s: Annotated[float, Meta(ge=0, le=300)] = 0.0
    #: the span over which the clients of a drain reconnect
    drain_spread_s: Annotated[float, Meta(ge=0, le=300)] = 2.0
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""

    def __post_init__(self) -> None:
        if 0 < self.stale_suspend_after_s < _MIN_STALE_SUSPEND_AFTER_S:
            raise ValueError(
                f"stale_suspend_after_s: must be 0 (never) or at least {_MIN_STALE_SUSPEND_AFTER_S:g}: "
                "an idle engine writes once a second"
            )
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError(f"{'tls_cert' if self.tls_cert else 'tls_key'}: set both tls_cert and tls_key, or neither")
        try:
            for network in self.trusted_proxies:
                ip_network(network)
        except ValueError as error:
            raise ValueError(f"trusted_proxies: {error}") from None
        try:
            AllowedOrigins(self.allowed_origins)
        except ValueError as error:
            raise ValueError(f"allowed_origins: {error}") from None


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    #: whether every role logs each HTTP request, and a gateway each session
    access: bool = False


class LadderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A custom ladder: decimal (from, step) pairs that end with (top, 0), or a list of all its odds."""

    increments: tuple[tuple[float, float], ...] = ()
    odds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.increments) == bool(self.odds):
            raise ValueError("set either increments or odds")


class FeedSettings(msgspec.Struct, frozen=True):
    """A configured feed: the adapter's name, the adapter's own config, and how the feed is supervised."""

    adapter: str
    config: Any
    supervision: Supervision = Supervision()
    #: digests of what its files held when the config was read: with another key in one of them it is another feed
    contents: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration. Feeds and tiers are in order of preference."""

    engine: EngineSettings = EngineSettings()
    feeder: FeederSettings = FeederSettings()
    redis: RedisSettings = RedisSettings()
    gateway: GatewaySettings = GatewaySettings()
    auth: AuthSettings = AuthSettings()
    limits: LimitSettings = LimitSettings()
    commands: CommandSettings = CommandSettings()
    quotes: QuoteSettings = QuoteSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    profiles: dict[str, Profile] = {}
    #: tier -> ids, names or name patterns of its competitions
    tiers: dict[str, tuple[str, ...]] = {}
    feeds: dict[str, FeedSettings] = {}
    matching: MatchingSettings = MatchingSettings()
    sourcing: tuple[SourcingRule, ...] = ()
    webhooks: tuple[WebhookSettings, ...] = ()
    bridge: BridgeSettings = BridgeSettings()
    history: HistorySettings = HistorySettings()
    #: the sections that the file has
    sections: frozenset[str] = frozenset()
    #: the environment variables that stand for a key
    variables: tuple[str, ...] = ()


#: The sections that are one table of one type.
SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    "engine": EngineSettings,
    "feeder": FeederSettings,
    "redis": RedisSettings,
    "gateway": GatewaySettings,
    "auth": AuthSettings,
    "limits": LimitSettings,
    "commands": CommandSettings,
    "quotes": QuoteSettings,
    "log": LogSettings,
    "metrics": MetricsSettings,
    "telemetry": TelemetrySettings,
    "matching": MatchingSettings,
    "bridge": BridgeSettings,
    "history": HistorySettings,
}
#: The types of all sections.
SECTION_TYPES: Final[dict[str, Any]] = {
    **SECTIONS,
    "ladders": dict[str, LadderSettings],
    "tiers": dict[str, tuple[str, ...]],
    "profiles": dict[str, Profile],
    "feeds": dict[str, dict[str, Any]],
    "sourcing": tuple[SourcingRule, ...],
    "webhooks": tuple[WebhookSettings, ...],
}
#: What a feed has whatever its adapter is.
FEED_TYPES: Final[dict[str, Any]] = {"adapter": str, "supervision": Supervision}
#: Every section of a config file.
SECTION_NAMES: Final = tuple(SECTION_TYPES)
