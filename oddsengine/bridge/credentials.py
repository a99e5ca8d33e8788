"""The user, the password and the certificates that a bridge shows its broker."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from oddsengine.common.settings.secret_keys import read_secret_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.bridge.settings import KafkaSettings, RabbitmqSettings


def credentials_of(settings: KafkaSettings | RabbitmqSettings, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """Return the user and the password, both empty where none are given.

    Raises:
        ValueError: if a variable or a file is missing, or there is one without the other.
    """
    user = read_secret_key(settings, "user", environment, masked=False)
    password = read_secret_key(settings, "password", environment)
    if bool(user) != bool(password):
        raise ValueError(f"{'password' if user else 'user'}: set both a user and a password, or neither")
    return user, password


def client_context(settings: KafkaSettings | RabbitmqSettings) -> ssl.SSLContext:
    """Return a TLS context with the files of settings.

    Raises:
        ValueError: if a file can't be used.
    """
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca or None)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"tls_ca: {settings.tls_ca}: {error}") from None
    if settings.tls_cert:
        try:
            context.load_cert_chain(settings.tls_cert, settings.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"tls_cert: {settings.tls_cert}: {error}") from None
    return context
