"""Credentials: read from files or the environment, never from the config, and never written to logs or recordings."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from feeds.errors import FeedError, MissingSecret
from oddsengine.common.redaction import SECRETS
from oddsengine.common.settings.secret_keys import NO_TEXT, is_text

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_secret(
    what: str, variable: str, file: str = "", environment: Mapping[str, str] = os.environ, *, masked: bool = True
) -> str:
    """Return a secret from its file, or from the environment if there is no file or it can't be read.

    Args:
        what: what the secret is, for the error: `an API key`.
        variable: the name of the environment variable.
        file: the path of a file whose first line is the secret; empty for none.
        environment: the environment variables.
        masked: whether logs, errors and recordings are to show `***` for the value; user names may be ordinary words.

    Raises:
        MissingSecret: if the secret is in neither place.
        FeedError: if what the variable has is no text.
    """
    value = ""
    if file:
        try:
            value = Path(file).read_text(encoding="utf-8-sig").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError):
            value = ""
    value = value or environment.get(variable, "")
    if not value:
        raise MissingSecret(what, variable, file)
    if not is_text(value):
        raise FeedError(f"the environment variable {variable} {NO_TEXT}; the feed needs {what} there")
    if masked:
        SECRETS.add(value)
    return value


def load_ca(ca_file: str) -> ssl.SSLContext | None:
    """Return a TLS context that trusts the certificates of a PEM file; None if no file is given, for the system's certificates.

    Raises:
        FeedError: if the file can't be loaded.
    """
    if not ca_file:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise FeedError(f"ca_file {ca_file} can't be loaded: {error}") from error
