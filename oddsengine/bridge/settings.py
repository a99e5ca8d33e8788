"""The `bridge` section of the configuration. Loads no client of a broker: every command reads settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from oddsengine.common.excerpts import echoed
from oddsengine.common.settings.secret_keys import check_secrets

if TYPE_CHECKING:
    from oddsengine.domain.formats import OddsFormat

Port = Annotated[int, Meta(ge=0, le=65535)]
#: What messages are about: each has a topic of its own.
TOPICS: Final = ("changes", "events", "results", "commands", "status")


class TopicSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The names of the topics. What has an empty one is not published."""

    changes: str = "odds.changes"
    events: str = "odds.events"
    results: str = "odds.results"
    commands: str = "odds.commands"
    status: str = "odds.status"

    def __post_init__(self) -> None:
        names = [name for name in msgspec.structs.astuple(self) if name]
        for name, key in zip(msgspec.structs.astuple(self), TOPICS, strict=True):
            if names.count(name) > 1:
                raise ValueError(f"{key}: another topic is called {echoed(name)} too; give each a name of its own")


class _BridgeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of bridges to all brokers: whose prices in which format, the API's address, the user, TLS.

    `status_interval_s` is how often the state of every shard is published. `tls_ca`, `tls_cert` and `tls_key` are files.
    """

    host: str = "127.0.0.1"
    port: Port = 0
    profile: str = "default"
    #: `hongkong` is the earlier name of `hong_kong`
    format: Literal["decimal", "fractional", "american", "hong_kong", "hongkong", "malay", "indonesian", "percent"] = "decimal"
    status_interval_s: Annotated[float, Meta(ge=0.05, le=3600)] = 5.0
    user: str = ""
    user_env: str = ""
    user_file: str = ""
    password: str = ""
    password_env: str = ""
    password_file: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""

    @property
    def odds_format(self) -> OddsFormat:
        """The format by the name that it has elsewhere."""
        return "hong_kong" if self.format == "hongkong" else self.format

    def _check(self, *, has_tls: bool, needs: str) -> None:
        check_secrets(self)
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError(f"{'tls_cert' if self.tls_cert else 'tls_key'}: set both tls_cert and tls_key, or neither")
        for key in ("tls_ca", "tls_cert"):
            if getattr(self, key) and not has_tls:
                raise ValueError(f"{key}: needs {needs}")


class KafkaSettings(_BridgeSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Kafka, or what speaks its protocol.

    Topics that are missing are created if `create_topics`, with `partitions`, `replication_factor` (0: 3, or as many as there are
    brokers) and the `cleanup` policy. `sasl` is how `user` and `password` are sent.
    """

    brokers: tuple[str, ...]
    topics: TopicSettings = TopicSettings()
    tls: bool = False
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    compression: Literal["none", "gzip"] = "none"
    create_topics: bool = True
    partitions: Annotated[int, Meta(ge=1, le=10_000)] = 6
    replication_factor: Annotated[int, Meta(ge=0, le=100)] = 0
    cleanup: Literal["compact", "delete", "compact,delete"] = "compact"

    def __post_init__(self) -> None:
        if not self.brokers:
            raise ValueError('brokers: is empty; name some, as ["kafka1:9092", "kafka2:9092"]')
        for broker in self.brokers:
            host, _, port = broker.rpartition(":")
            if not host or not (port.isascii() and port.isdigit()) or "/" in broker:
                raise ValueError(f"brokers: {echoed(broker)} is not host:port")
        self._check(has_tls=self.tls, needs="tls = true")


class RabbitmqSettings(_BridgeSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A RabbitMQ, or another broker of AMQP 0-9-1. `url` has its virtual host, `exchange` is a durable topic exchange."""

    url: str
    exchange: str = "odds"

    def __post_init__(self) -> None:
        if not self.url.startswith(("amqp://", "amqps://")):
            raise ValueError("url: must begin with amqp:// or amqps://")
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError:
            raise ValueError("url: is not a URL") from None
        if not parts.hostname:
            raise ValueError("url: has no host")
        if parts.username or parts.password:
            raise ValueError("url: can't have a user or a password; set user and password_env or password_file")
        if not self.exchange:
            raise ValueError("exchange: is empty")
        self._check(has_tls=parts.scheme == "amqps", needs="a url with amqps://")


class BridgeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The brokers that are published to: one of each kind at most."""

    kafka: KafkaSettings | None = None
    rabbitmq: RabbitmqSettings | None = None
