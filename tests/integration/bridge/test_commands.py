"""Commands are passed on from where a bridge was, and all of them where a part of the log is gone."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from oddsengine.bridge.command_bridge import CommandBridge
from oddsengine.bridge.delivery import Counters, Delivery
from oddsengine.bridge.positions import PositionStore
from oddsengine.common.tasks import end_tasks
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.keys import command_keys
from tests.support.builders import a_command
from tests.support.service import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from oddsengine.bridge.messages import Message


class Held:
    """A lease that never ends."""

    async def until_held(self) -> None:
        """Return at once."""


class Kept:
    """A broker that keeps what it gets."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def send(self, messages: Sequence[Message]) -> None:
        self.bodies += [json.loads(message.body) for message in messages]

    async def close(self) -> None:
        """Close nothing."""

    async def connect(self) -> Kept:
        return self


async def test_no_state_of_a_command_is_missed(redis: Redis) -> None:
    log, broker = CommandLog(redis, "test"), Kept()

    async def bridged(count: int) -> list[tuple[str, str]]:
        """Run a bridge until the broker has so many messages. Return the command and the gap of each."""
        delivery = Delivery("test", broker.connect, Counters(), lambda: 0.0)
        store = PositionStore(redis, "test", "kafka")
        bridge = CommandBridge(log, store, delivery, Held())  # type: ignore[arg-type]
        task = asyncio.create_task(bridge.run())
        await wait_until(lambda: len(broker.bodies) >= count, f"{count} messages")
        while (position := await store.load_commands()) is None or position.seq != await log.last_seq():
            await asyncio.sleep(0.005)
        await end_tasks([task])
        return [(each["command"]["id"], each.get("gap", {}).get("cause", "")) for each in broker.bodies]

    await log.write(a_command("suspend", key="c1", all=True))
    assert [("c1", "start")] == await bridged(1)
    for key in ("c2", "c3"):
        await log.write(a_command("suspend", key=key, all=True))
    assert [("c2", ""), ("c3", "")] == (await bridged(3))[1:]
    assert ["commands-2", "commands-3"] == [each["id"] for each in broker.bodies[1:]]
    await log.write(a_command("suspend", key="c4", all=True))
    await log.write(a_command("suspend", key="c5", all=True))
    await redis.xtrim(command_keys("test").log, maxlen=1, approximate=False)
    assert [(f"c{number}", "trimmed") for number in range(1, 6)] == (await bridged(8))[3:]
    assert {"cause": "trimmed", "after": "3", "up_to": "5"} == broker.bodies[-1]["gap"]
    # Redis comes back as it was earlier, and another command gets the number of one that was passed on.
    keys = command_keys("test")
    await redis.xdel(keys.log, "5-0")
    await redis.eval("redis.call('XSETID', KEYS[1], '4-0')", 1, keys.log)
    await redis.hset(keys.table, "seq", 4)
    await CommandLog(redis, "test").write(a_command("suspend", key="c6", all=True))
    assert [(f"c{number}", "lost") for number in range(1, 7)] == (await bridged(14))[8:]
