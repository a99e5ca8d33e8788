"""The `webhooks` section of the configuration. Loads no HTTP client: every command reads settings."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from oddsengine.common.settings.secret_keys import check_secrets
from oddsengine.webhooks.signing import parse_secrets

EventKind = Literal["feeds", "guards", "pairs", "commands", "results"]
EVENT_KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint that events are posted to.

    Exactly one of `secret`, `secret_env` (an environment variable) and `secret_file` holds what events are signed with: one
    secret, or several separated by spaces while they are being replaced. `name` stands for it in logs, by default the host.
    `guard_suspensions` markets that guards suspend within `guard_window_s` are one event. A request may take `timeout_s`, and an
    event is retried for `retry_for_s`. `ca_file` is a PEM file with the authorities that sign the endpoint's certificate.
    """

    url: str
    name: str = ""
    secret: str = ""
    secret_env: str = ""
    secret_file: str = ""
    ca_file: str = ""
    events: tuple[EventKind, ...] = EVENT_KINDS
    guard_suspensions: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    guard_window_s: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    timeout_s: Annotated[float, Meta(ge=0.1, le=60)] = 10.0
    retry_for_s: Annotated[float, Meta(ge=0, le=2_592_000)] = 86_400.0

    def __post_init__(self) -> None:
        check_secrets(self, required=("secret",))
        if not self.url.startswith(("https://", "http://")):
            raise ValueError("url: must begin with https://, or http:// within a private network")
        try:
            parts = urlsplit(self.url)
            host, has_user = parts.hostname, "@" in parts.netloc
            _ = parts.port
        except ValueError:
            raise ValueError("url: is not a URL") from None
        if not host:
            raise ValueError("url: has no host")
        if has_user:
            raise ValueError("url: can't have a user or a password; events are signed instead")
        if self.ca_file and not self.url.startswith("https://"):
            raise ValueError("ca_file: needs a url with https://")
        if not self.events:
            raise ValueError("events: is empty; leave it out for all of them")
        if self.secret:
            try:
                parse_secrets(self.secret)
            except ValueError as error:
                raise ValueError(f"secret: {error}") from None

    @property
    def label(self) -> str:
        """The name of the endpoint in logs and metrics: not its URL, which may contain a key."""
        return self.name or urlsplit(self.url).hostname or ""

    @property
    def threshold(self) -> str:
        """From how many suspensions by guards, and within which time, there is an event; equal for equal ones."""
        return f"{self.guard_suspensions}/{self.guard_window_s:g}"
