"""The `quotes` section of the configuration. Imports neither aiohttp nor jwt: every command reads settings."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from oddsengine.common.settings.secret_keys import check_secrets, read_secret_key


class QuoteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the signing of quotes by price checks; without a key they do not.

    `signing_key_env` is an environment variable with the private key (Ed25519, PEM), `signing_key_file` a file of it.
    `published_keys` are files with further public keys that signed quotes are verified with: the next one, and those of before.
    `signed_ttl_s` is how long a signed quote is valid.
    """

    signing_key_env: str = ""
    signing_key_file: str = ""
    published_keys: tuple[str, ...] = ()
    signed_ttl_s: Annotated[int, Meta(ge=1, le=86_400)] = 60

    def __post_init__(self) -> None:
        check_secrets(self)

    def read_signing_key(self) -> str:
        """Return the private key as PEM, empty if there is none. Raises ValueError if its variable or its file is missing."""
        return read_secret_key(self, "signing_key")
