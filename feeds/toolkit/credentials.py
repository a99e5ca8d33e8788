"""Secrets: from the environment or from files, never from the config, and never in logs or recordings."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from feeds.errors import FeedError, MissingSecret

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_secret(what: str, variable: str, file: str = "", environment: Mapping[str, str] = os.environ) -> str:
    """Read a secret, from the file if one is given, else from the environment.

    Args:
        what: what it is, for the error: `an API key`.
        variable: the name of an environment variable.
        file: the path of a file, empty for none; its first line is the secret.
        environment: where variables are looked up.

    Raises:
        MissingSecret: if it is in neither place.
    """
    if file:
        try:
            value = Path(file).read_text(encoding="utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError):
            value = ""
        if value:
            return value
    value = environment.get(variable, "")
    if not value:
        raise MissingSecret(what, variable, file)
    return value


def load_ca(ca_file: str) -> ssl.SSLContext | None:
    """HealthTracker the certificates of a PEM file instead of the system's; None for the system's.

    Raises:
        FeedError: if the file can't be used.
    """
    if not ca_file:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise FeedError(f"ca_file {ca_file} can't be used: {error}") from error
