"""Limits of sessions per address and per token, counted in Redis across all gateways."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from oddsengine.common.reporting.outages import Outage
from oddsengine.streams.connection import UNAVAILABLE, cause_of
from oddsengine.streams.keys import sessions_key

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: The sessions of a gateway that died are counted for this long.
LEASE_S: Final = 30.0
_FINISH_S: Final = 1.0
_USER: Final = "session limiter"
_OUTAGE: Final = Outage("sessions counted in this process only", "sessions counted across all gateways again")


class SessionLimiter:
    """Counts the sessions of each subject (an address or a token) as leases in Redis.

    While Redis is unreachable, only the sessions of this process are counted, so that an outage locks no client out.

    Args:
        redis: where all gateways count; None counts the sessions of this process only.
        namespace: separates installations that share a Redis.
        lease_s: how long a session is counted unless its lease is renewed.
    """

    def __init__(self, redis: Redis | None = None, namespace: str = "odds", lease_s: float = LEASE_S) -> None:
        self._redis = redis
        self._namespace = namespace
        self._lease_s = lease_s
        #: subject -> sessions of this process, each with the limit it was acquired under
        self._sessions: dict[str, dict[str, int]] = {}
        self._releases: set[asyncio.Task[None]] = set()
        script = files("oddsengine.gateway.access").joinpath("lua", "acquire_session.lua").read_text(encoding="utf-8")
        self._acquire_script = redis.register_script(script) if redis is not None else None

    async def acquire(self, subject: str, session: str, limit: int) -> bool:
        """Count a session. Return False if its subject has reached the limit.

        May be cancelled; the session is not counted then.

        Args:
            subject: whose session it is.
            session: its id, unique across all gateways.
            limit: how many sessions the subject may have.
        """
        sessions = self._sessions.setdefault(subject, {})
        if session not in sessions and len(sessions) >= limit:
            return False
        # Counted here before Redis answers, so that concurrent calls see it.
        sessions[session] = limit
        acquired = False
        try:
            acquired = await self._lease(subject, session, limit)
        finally:
            if not acquired:
                self._forget(subject, session)
        return acquired

    def release(self, subject: str, session: str) -> None:
        """Stop counting a session. No-op if it is not counted."""
        if session not in self._sessions.get(subject, ()):
            return
        self._forget(subject, session)
        if self._redis is not None:
            task = asyncio.create_task(self._end_lease(subject, session))
            self._releases.add(task)
            task.add_done_callback(self._releases.discard)

    async def finish(self) -> None:
        """Wait for the end of the leases that were released, a second at most. Call it before Redis is closed."""
        if self._releases:
            await asyncio.wait(self._releases, timeout=_FINISH_S)

    async def renew(self) -> None:
        """Renew the leases of this process until cancelled."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            for subject, sessions in list(self._sessions.items()):
                for session, limit in list(sessions.items()):
                    if session in sessions:  # else released meanwhile
                        await self._lease(subject, session, limit)

    def _forget(self, subject: str, session: str) -> None:
        sessions = self._sessions.get(subject, {})
        sessions.pop(session, None)
        if not sessions:
            self._sessions.pop(subject, None)

    async def _lease(self, subject: str, session: str, limit: int) -> bool:
        if self._acquire_script is None:
            return True
        try:
            key = sessions_key(self._namespace, subject)
            acquired = bool(await self._acquire_script(keys=[key], args=[session, limit, round(self._lease_s * 1000)]))
        except UNAVAILABLE as error:
            self._note(error)
            return True
        _OUTAGE.worked(_USER)
        return acquired

    @staticmethod
    def _note(error: Exception) -> None:
        _OUTAGE.failed(_USER, cause_of(error), error=str(error))

    async def _end_lease(self, subject: str, session: str) -> None:
        if self._redis is None:
            return
        try:
            await self._redis.zrem(sessions_key(self._namespace, subject), session)
        except UNAVAILABLE as error:
            self._note(error)  # the lease will expire
