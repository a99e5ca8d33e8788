"""The `history` section of the configuration. Loads no driver: every command reads settings."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from oddsengine.common.settings.secret_keys import check_secrets

EMBEDDED: Final = "embedded"


class HistorySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of where everything that is published is kept, and for how long. Without a `url` there is no history.

    `url` is that of a PostgreSQL database, or "embedded" for a server of our own, which keeps its data in `directory`; without
    that, only while the process runs. The password is in the URL, in the variable `password_env` or in `password_file`.
    `tls_ca` is a file with the authorities that sign the server's certificate, `tls_cert` and `tls_key` are this client's own.
    `host` and `port` are where `oddsengine archiver` serves `/healthz`, `/readyz` and `/metrics`.

    Days are dropped after `keep_days`. `checkpoint_key` is a file with the key that signs checkpoints, one every `checkpoint_s`.
    """

    url: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    directory: str = ""
    password_env: str = ""
    password_file: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    keep_days: Annotated[int, Meta(ge=1, le=36_500)] = 400
    checkpoint_key: str = ""
    checkpoint_s: Annotated[float, Meta(ge=1, le=86_400)] = 3600.0

    def __post_init__(self) -> None:
        if not self.url:
            return
        if self.url == EMBEDDED:
            for key in ("password_env", "password_file", "tls_ca", "tls_cert", "tls_key"):
                if getattr(self, key):
                    raise ValueError(f'{key}: has no effect with url = "{EMBEDDED}"')
            return
        if self.directory:
            raise ValueError(f'directory: has no effect without url = "{EMBEDDED}"')
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError:
            raise ValueError("url: is not a URL") from None
        if parts.scheme not in {"postgresql", "postgres"}:
            raise ValueError(f'url: must begin with postgresql://, or be "{EMBEDDED}"')
        check_secrets(self)
        if parts.password and (self.password_env or self.password_file):
            raise ValueError("set the password in one place: url, password_env or password_file")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError(f"{'tls_cert' if self.tls_cert else 'tls_key'}: set both tls_cert and tls_key, or neither")

    @property
    def is_embedded(self) -> bool:
        """Whether the server is one of our own."""
        return self.url == EMBEDDED
