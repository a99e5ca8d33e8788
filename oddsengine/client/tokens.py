"""Tokens: asking the application for one, and what can be read from it."""

from __future__ import annotations

import base64
import inspect
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PARTS: Final = 3


async def ask_token(source: Callable[[], str | Awaitable[str]] | None) -> str | None:
    """Return the application's token, which it may give at once or after a while; None if there is none.

    Raises:
        ValueError: if it can't be a token.
    """
    if source is None:
        return None
    given = source()
    token = (await given if inspect.isawaitable(given) else given or "").strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ValueError("a token has only printable ASCII characters and no spaces")
    return token or None


def claims_of(token: str | None) -> dict[str, Any]:
    """Return the claims of a JSON Web Token (RFC 7519), which are not verified here; nothing if it is not one."""
    parts = (token or "").split(".")
    if len(parts) != _PARTS:
        return {}
    try:
        found = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def profile_of(token: str | None) -> str | None:
    """Return the profile whose prices a token shows; None for the gateway's default."""
    profile = claims_of(token).get("profile")
    return None if profile is None else str(profile)


def expiry_of(token: str) -> float | None:
    """Return when a token expires, Unix seconds; None if that can't be read from it."""
    expiry = claims_of(token).get("exp")
    return float(expiry) if isinstance(expiry, int | float) else None
