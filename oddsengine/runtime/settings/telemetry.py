"""The `metrics` and `telemetry` sections of the configuration: what operators see of a process, and where."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from oddsengine.common.settings.secret_keys import check_secrets, read_secret_key

#: Where collectors take traces over HTTP, below their base URL (OTLP specification, "OTLP/HTTP Request").
TRACES_PATH: Final = "/v1/traces"


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of where `/metrics` is served, and to whom.

    With a `port`, only there: at `host`, and not where clients connect. The variable or the file has what a scrape sends as
    `Authorization: Bearer`.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    token_env: str = ""
    token_file: str = ""

    def __post_init__(self) -> None:
        check_secrets(self)

    def read_token(self) -> str:
        """Return the token, empty if none is set. Raises ValueError if its variable or its file is missing."""
        return read_secret_key(self, "token")


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Traces: `endpoint` is a collector that takes OTLP over HTTP; empty: none are made.

    `sample_ratio` is the share of publications and requests that are traced. Requests with the role `service` or more, whose
    `traceparent` says that they are traced, always are.
    """

    endpoint: str = ""
    sample_ratio: Annotated[float, Meta(ge=0, le=1)] = 0.01
    service_name: Annotated[str, Meta(min_length=1)] = "oddsengine"

    def __post_init__(self) -> None:
        if self.endpoint and (not self.endpoint.startswith(("http://", "https://")) or not urlsplit(self.endpoint).hostname):
            raise ValueError("endpoint must be the URL of a collector, as http://127.0.0.1:4318")

    @property
    def traces_url(self) -> str:
        """The URL that traces are sent to; the path may be left out."""
        path = urlsplit(self.endpoint).path.rstrip("/")
        return self.endpoint.rstrip("/") + ("" if path else TRACES_PATH)
