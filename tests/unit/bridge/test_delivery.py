"""What a broker does not acknowledge is sent again, all of it, until it does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from oddsengine.bridge import delivery as delivery_module
from oddsengine.bridge.delivery import BrokerFailed, Counters, Delivery
from oddsengine.bridge.messages import Message, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

MESSAGES = [Message("changes", "change", "m", str(number), Subject(), b"{}") for number in range(3)]


class World:
    """A broker that fails as often as it is told to."""

    def __init__(self, *failures: BrokerFailed | None) -> None:
        #: of connecting and of sending, in this order; None where it succeeds
        self.failures = list(failures)
        self.log: list[str] = []
        self.counters = Counters()
        self.delivery = Delivery("test", self.connect, self.counters, lambda: 0.0)

    def _step(self, name: str) -> None:
        failure = self.failures.pop(0) if self.failures else None
        self.log.append(name if failure is None else f"{name} failed")
        if failure is not None:
            raise failure

    async def connect(self) -> World:
        self._step("connect")
        return self

    async def send(self, messages: Sequence[Message]) -> None:
        self._step(f"send {len(messages)}")

    async def close(self) -> None:
        self.log.append("close")


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "_BACKOFF_START_S", 0.0)


async def test_a_lost_connection_is_replaced_and_one_that_works_is_kept() -> None:
    lost, refused = BrokerFailed("LOST"), BrokerFailed("REFUSED", is_lost=False)
    world = World(lost, None, refused, lost, None, None)
    await world.delivery.send("a", MESSAGES)
    await world.delivery.send("a", MESSAGES[:1])
    await world.delivery.close()
    expected = ["connect failed", "connect", "send 3 failed", "send 3 failed", "close", "connect", "send 3", "send 1", "close"]
    assert expected == world.log
    assert (3, {"change": 4}) == (world.counters.failures, dict(world.counters.messages))


async def test_nothing_to_send_needs_no_connection() -> None:
    world = World()
    await world.delivery.send("a", [])
    assert [] == world.log


async def test_what_is_refused_for_ever_is_tried_ever_more_rarely_while_others_are_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And it is one outage: what others send ends nothing."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await world.delivery.send("healthy", MESSAGES[:1])

    monkeypatch.setattr(delivery_module, "_BACKOFF_START_S", 0.1)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    world = World()
    # What the other one sends succeeds after each of them.
    world.failures = [None, *[each for _ in range(5) for each in (BrokerFailed("TOO LARGE", is_lost=False), None)]]
    with capture_logs() as logs:
        await world.delivery.send("refused", MESSAGES)
        await world.delivery.close()
    assert [0.1, 0.2, 0.4, 0.8, 1.6] == pytest.approx(waits)
    assert ["broker unavailable", "broker available again"] == [entry["event"] for entry in logs]
    assert "test, refused" == logs[0]["user"]
