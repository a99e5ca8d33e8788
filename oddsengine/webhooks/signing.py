"""Signatures as Standard Webhooks has them (standardwebhooks.com, version 1, symmetric): HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PREFIX: Final = "whsec_"
#: The lengths that the specification allows ("Signature scheme").
_MIN_BYTES, _MAX_BYTES = 24, 64


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """Return the keys of secrets that are separated by white space.

    Raises:
        ValueError: if one is malformed. The message does not contain it.
    """
    keys = tuple(_parse(secret) for secret in text.split())
    if not keys:
        raise ValueError("is empty")
    return keys


def _parse(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        raise ValueError(f"must be {_PREFIX} and base64")
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {_PREFIX} is not base64") from None
    if not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise ValueError(f"has {len(key)} bytes, not {_MIN_BYTES} to {_MAX_BYTES}")
    return key


def sign(keys: Sequence[bytes], event_id: str, timestamp_s: int, body: bytes) -> str:
    """Return the header `webhook-signature` (Standard Webhooks, "Signature scheme"): a signature with each key.

    Args:
        keys: 24 to 64 bytes each.
        event_id: the header `webhook-id`.
        timestamp_s: the header `webhook-timestamp`, Unix seconds.
        body: as it is sent.
    """
    signed = f"{event_id}.{timestamp_s}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
