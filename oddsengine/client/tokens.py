"""Tokens: asking the application for one, what can be read from it, and when the next one is due."""

from __future__ import annotations

import asyncio
import base64
import inspect
import time
from typing import TYPE_CHECKING, Any, Final

import orjson

from oddsengine.client.errors import GaveUp, NoToken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oddsengine.client.errors import Problem
    from oddsengine.client.recovery import Timing

_PARTS: Final = 3


class Tokens:
    """The token of the present connection, and when to ask for the next one.

    Args:
        source: returns a token, at once or as an awaitable; None where none is required.
        timing: how long before a token expires the next one is asked for.
    """

    def __init__(self, source: Callable[[], str | Awaitable[str]] | None, timing: Timing) -> None:
        self.token: str | None = None
        #: when to ask for the next token, seconds of the event loop's clock; None if that is not known
        self.renew_at_s: float | None = None
        self._source = source
        self._timing = timing
        #: a token that must not be used again, and why
        self._refused: tuple[str | None, Problem] | None = None
        #: when the present token expires, Unix seconds; None if that is not known
        self._expiry_s: float | None = None
        #: whose prices the present connection may have shown: a token that was sent meanwhile may or may not have been accepted
        self._profiles: set[str | None] = {None}

    @property
    def is_refused(self) -> bool:
        """Whether the last token was refused, and no other one has been used since."""
        return self._refused is not None

    def refuse(self, problem: Problem) -> None:
        """Note that the gateway refuses the present token."""
        self._refused = self.token, problem

    async def take(self) -> bool:
        """Ask for the token of the next connection. Return whether the last one may have shown the prices of another profile.

        Raises:
            GaveUp: if there is only the one that was refused.
            NoToken: if there is none yet.
        """
        token = await self._ask()
        if self._refused is not None and token == self._refused[0]:
            raise GaveUp(self._refused[1])
        self._refused = None
        profile = profile_of(token)
        is_other_profile = self._profiles != {profile}
        self._profiles = {profile}
        self.token = token
        self.renew_before(None if token is None else expiry_of(token))
        return is_other_profile

    async def renew(self) -> str | None:
        """Return the token that replaces the present one; None if there is no other, which is asked for again later.

        Raises:
            NoToken: likewise, if the application's function failed.
        """
        try:
            token = await self._ask()
        except NoToken:
            self.renew_before(self._expiry_s)
            raise
        if token is None or token == self.token:
            self.renew_before(self._expiry_s)
            return None
        self.token = token
        self._profiles.add(profile_of(token))
        return token

    def renew_before(self, expiry_s: float | None) -> None:
        """Schedule asking for the next token, before the present one expires (Unix seconds; None if that is not known)."""
        self._expiry_s = expiry_s
        delay_s = None if expiry_s is None else self._timing.renew_in_s(expiry_s - time.time())
        self.renew_at_s = None if delay_s is None else asyncio.get_running_loop().time() + delay_s

    async def _ask(self) -> str | None:
        try:
            return await ask_token(self._source, self._timing.token_s)
        except Exception as error:
            raise NoToken(f"no token: {error!r}") from error


async def ask_token(source: Callable[[], str | Awaitable[str]] | None, timeout_s: float) -> str | None:
    """Return the application's token, waiting for it if it is an awaitable; None if there is none.

    Raises:
        ValueError: if it can't be a token.
        TimeoutError: if an awaitable takes longer than `timeout_s`: what it asks may never answer, and the next call may.
    """
    if source is None:
        return None
    returned = source()
    token = (await _in_time(returned, timeout_s) if inspect.isawaitable(returned) else returned or "").strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ValueError("a token has only printable ASCII characters and no spaces")
    return token or None


async def _in_time(token: Awaitable[str], timeout_s: float) -> str:
    # A task or a future is the application's own, which may wait for it elsewhere too: it is not cancelled.
    awaited = asyncio.shield(token) if isinstance(token, asyncio.Future) else token
    try:
        async with asyncio.timeout(timeout_s) as waiting:
            return await awaited or ""
    except TimeoutError:
        if waiting.expired():
            raise TimeoutError(f"the function for tokens has not answered within {timeout_s:g} s") from None
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if isinstance(token, asyncio.Future) and token.cancelled() and not (task and task.cancelling()):
            raise ValueError("the application has cancelled it") from None
        raise


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
