"""What the session limiter decides, by itself and with a Redis whose answers the test times."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.gateway.access.session_limiter import SessionLimiter

steps = st.lists(
    st.tuples(st.sampled_from(("acquire", "release")), st.sampled_from("ab"), st.sampled_from("123456")),
    max_size=60,
)


class Leases:
    """A stand-in for Redis: the leases of one installation, and whether it can be reached."""

    def __init__(self) -> None:
        self.leases: dict[str, set[str]] = {}
        self.reachable = True
        #: cleared to hold answers back
        self.answering = asyncio.Event()
        self.answering.set()
        self.asked: list[str] = []

    def register_script(self, _script: str) -> Any:
        return self._acquire

    async def _acquire(self, keys: list[str], args: list[Any]) -> int:
        session, limit = args[0], args[1]
        self.asked.append(session)
        await self.answering.wait()
        if not self.reachable:
            raise RedisConnectionError("unreachable")
        sessions = self.leases.setdefault(keys[0], set())
        if session not in sessions and len(sessions) >= limit:
            return 0
        sessions.add(session)
        return 1

    async def zrem(self, key: str, session: str) -> None:
        self.leases.get(key, set()).discard(session)

    def all(self) -> set[str]:
        return set().union(*self.leases.values())


def limiter_on(leases: Leases, lease_s: float = 0.03) -> SessionLimiter:
    redis: Any = leases
    return SessionLimiter(redis, lease_s=lease_s)


@given(steps=steps, limit=st.integers(1, 4))
def test_by_itself_it_counts_as_a_set_per_subject(steps: list[tuple[str, str, str]], limit: int) -> None:
    async def run() -> None:
        limiter = SessionLimiter()
        model: dict[str, set[str]] = {"a": set(), "b": set()}
        for step, subject, session in steps:
            sessions = model[subject]
            if step == "release":
                limiter.release(subject, session)
                sessions.discard(session)
                continue
            expected = session in sessions or len(sessions) < limit
            assert expected == await limiter.acquire(subject, session, limit)
            if expected:
                sessions.add(session)

    asyncio.run(run())


async def test_concurrent_acquisitions_do_not_exceed_the_limit() -> None:
    leases = Leases()
    limiter = limiter_on(leases)
    leases.answering.clear()
    acquiring = [asyncio.create_task(limiter.acquire("shop", str(number), 3)) for number in range(10)]
    await asyncio.sleep(0)
    leases.answering.set()
    assert 3 == sum(await asyncio.gather(*acquiring))
    assert 3 == len(leases.asked), "the others are rejected without asking Redis"


async def test_a_session_that_redis_rejects_is_not_counted_here() -> None:
    leases = Leases()
    one, other = limiter_on(leases), limiter_on(leases)
    assert await one.acquire("shop", "a", 1)
    assert not await other.acquire("shop", "b", 1)
    one.release("shop", "a")
    await asyncio.sleep(0)
    assert await other.acquire("shop", "c", 1)


async def test_while_redis_is_unreachable_only_this_process_is_counted() -> None:
    leases = Leases()
    one, other = limiter_on(leases), limiter_on(leases)
    assert await one.acquire("shop", "a", 1)
    leases.reachable = False
    assert await other.acquire("shop", "b", 1)
    assert not await other.acquire("shop", "c", 1)


async def test_a_session_released_during_a_renewal_is_not_leased_again() -> None:
    leases = Leases()
    limiter = limiter_on(leases)
    assert await limiter.acquire("shop", "a", 2)
    assert await limiter.acquire("shop", "b", 2)
    leases.answering.clear()
    leases.asked.clear()
    renewing = asyncio.create_task(limiter.renew())
    while not leases.asked:
        await asyncio.sleep(0.001)
    assert ["a"] == leases.asked
    limiter.release("shop", "b")
    await asyncio.sleep(0)
    leases.answering.set()
    while len(leases.asked) < 3:
        await asyncio.sleep(0.001)
    renewing.cancel()
    assert {"a"} == set(leases.asked)
    assert {"a"} == leases.all()
