"""How many sessions a client has, by whatever it is told apart, counted in Redis for all gateways together."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from oddsengine.streams.keys import seats_key

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: A gateway that is gone gives its seats back after this long.
KEPT_S: Final = 30.0
_log = structlog.get_logger(__name__)


class SessionLimiter:
    """The seats that sessions of this process take.

    What can't be counted together, because Redis is away, is counted in this process alone: nobody is locked out by that.

    Args:
        redis: where all gateways count; None counts in this process alone.
        namespace: keeps several installations in one Redis apart.
        kept_s: for how long a seat is kept if this process says nothing more.
    """

    def __init__(self, redis: Redis | None = None, namespace: str = "odds", kept_s: float = KEPT_S) -> None:
        self._redis = redis
        self._namespace = namespace
        self._kept_s = kept_s
        #: subject -> its sessions here, each with how many it may have
        self._taken: dict[str, dict[str, int]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        script = files("oddsengine.gateway.access").joinpath("lua", "acquire_session.lua").read_text(encoding="utf-8")
        self._take = redis.register_script(script) if redis is not None else None

    async def take(self, subject: str, session: str, most: int) -> bool:
        """Take a seat for a session; tell whether there was one.

        Args:
            subject: whose session it is.
            session: its id, different from all others in all gateways.
            most: how many sessions there may be.
        """
        here = self._taken.setdefault(subject, {})
        if session not in here and len(here) >= most:
            return False
        # At once, so that others who come while Redis is asked find it taken.
        here[session] = most
        taken = False
        try:
            taken = await self._counted(subject, session, most)
        finally:
            if not taken:
                self._forget(subject, session)
        return taken

    def leave(self, subject: str, session: str) -> None:
        """Give a session's seat back, if it had one."""
        if session not in self._taken.get(subject, ()):
            return
        self._forget(subject, session)
        if self._redis is not None:
            task = asyncio.create_task(self._left(subject, session))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def keep(self) -> None:
        """Say again and again who sits here, until cancelled."""
        while True:
            await asyncio.sleep(self._kept_s / 3)
            for subject, here in list(self._taken.items()):
                for session, most in list(here.items()):
                    await self._counted(subject, session, most)

    def _forget(self, subject: str, session: str) -> None:
        here = self._taken.get(subject, {})
        here.pop(session, None)
        if not here:
            self._taken.pop(subject, None)

    async def _counted(self, subject: str, session: str, most: int) -> bool:
        if self._take is None:
            return True
        try:
            key = seats_key(self._namespace, subject)
            return bool(await self._take(keys=[key], args=[session, most, round(self._kept_s * 1000)]))
        except (RedisError, OSError) as error:
            _log.warning("sessions counted here only", subject=subject, error=str(error))
            return True

    async def _left(self, subject: str, session: str) -> None:
        if self._redis is None:
            return
        try:
            await self._redis.zrem(seats_key(self._namespace, subject), session)
        except (RedisError, OSError) as error:
            _log.warning("seat not given back, it frees itself", subject=subject, error=str(error))
