"""Tickets: what a token grants, once and for a short time, for URLs that can carry no header and must hold no token."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Final, cast

import msgspec

from oddsengine.gateway.access.grants import Access
from oddsengine.streams.keys import ticket_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

#: Long enough for a page to open its stream, also after a retry.
TICKET_LIFE_S: Final = 30.0
_TICKET_BYTES: Final = 24
_MAX_TICKET_CHARACTERS: Final = 64
_decode: Final = msgspec.msgpack.Decoder(Access).decode


class Tickets:
    """Issues tickets, and redeems each once, whatever gateway issued it.

    Redis keeps the digests only: whoever can read it can't use what it holds.

    Args:
        redis: shared by all gateways.
        namespace: separates installations that share a Redis.
        now_ms: the wall clock, Unix milliseconds.
    """

    def __init__(self, redis: Redis, namespace: str, now_ms: Callable[[], int]) -> None:
        self._redis = redis
        self._namespace = namespace
        self._now_ms = now_ms

    async def issue(self, access: Access) -> tuple[str, int]:
        """Return a ticket that grants the same, and until when (Unix milliseconds): not for longer than the token lasts.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        now_ms = self._now_ms()
        expires_ms = now_ms + round(TICKET_LIFE_S * 1000)
        if access.expires_s is not None:
            expires_ms = min(expires_ms, round(access.expires_s * 1000))
        ticket = secrets.token_urlsafe(_TICKET_BYTES)
        await self._redis.set(self._key(ticket), msgspec.msgpack.encode(access), px=max(1, expires_ms - now_ms))
        return ticket, expires_ms

    async def redeem(self, ticket: str) -> Access | None:
        """Return what a ticket grants, for the first time only; None if it is not valid, or not any more.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        if len(ticket) > _MAX_TICKET_CHARACTERS:
            return None
        stored = cast("bytes | None", await self._redis.getdel(self._key(ticket)))
        if stored is None:
            return None
        access = _decode(stored)
        # Of a token that has expired meanwhile.
        return None if access.expires_s is not None and access.expires_s * 1000 <= self._now_ms() else access

    def _key(self, ticket: str) -> str:
        return ticket_key(self._namespace, hashlib.sha256(ticket.encode(errors="replace")).hexdigest())
