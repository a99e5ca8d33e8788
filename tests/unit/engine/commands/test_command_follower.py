"""The follower of the log of commands, by a clock of the test."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
from redis.asyncio import Redis

from oddsengine.commands.command import KICKED_OFF, Command
from oddsengine.common.tasks import end_tasks
from oddsengine.engine.command_follower import EVENT_GONE, CommandFollower
from oddsengine.streams.chain.links import NO_DIGEST, digest_of
from oddsengine.streams.chain.sealing import seal
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.keys import command_keys
from tests.support.builders import a_command
from tests.support.service import shared_redis, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DAY_MS = 86_400_000


class LogByOurClock(CommandLog):
    """A log on a server whose clock the test sets."""

    server_ms = 0

    async def now_ms(self) -> int:
        return self.server_ms


class Following:
    """A follower that has loaded the table, and what it has obeyed."""

    def __init__(self, redis: Redis) -> None:
        self.told_ms = -1
        self.is_in_play = False
        self.redis = redis
        namespace = shared_redis.new_namespace()
        self.keys = command_keys(namespace)
        self.log = LogByOurClock(redis, namespace)
        self.obeyed: list[tuple[str, int | None]] = []
        self.seqs: list[int] = []
        self.follower = CommandFollower(
            self.log, self._obey, self.seqs.append, self._keep_time, lambda _: True, None, self._kicked_off
        )

    def _keep_time(self, server_ms: int) -> None:
        self.told_ms = server_ms

    def _kicked_off(self) -> list[Command]:
        commands = self.follower.commands.values() if self.is_in_play else ()
        return [each for each in commands if each.until_kick_off and each.lifted_ms is None]

    def _obey(self, command: Command) -> None:
        self.obeyed.append((command.id, command.lifted_ms))


@asynccontextmanager
async def following() -> AsyncIterator[Following]:
    async with Redis.from_url(shared_redis.url()) as redis:
        found = Following(redis)
        await found.log.write(a_command("suspend", key="c0", event="e1"))
        await found.follower.load()
        task = asyncio.create_task(found.follower.run())
        try:
            yield found
        finally:
            await end_tasks([task])


async def test_commands_are_obeyed_in_order_each_once() -> None:
    async with following() as found:
        for number in range(1, 4):
            await found.log.write(a_command("suspend", key=f"c{number}", event="e1"))
        await wait_until(lambda: found.seqs[-1] == 4, "four entries")
        assert [(f"c{number}", None) for number in range(4)] == found.obeyed


async def test_what_ended_a_day_ago_is_deleted_and_what_is_gone_for_a_week_is_lifted() -> None:
    async with following() as found:
        await found.log.write(a_command("suspend", key="c1", event="e1", lifted_ms=20, lifted_by="bob"))
        await wait_until(lambda: ("c1", 20) in found.obeyed, "the lift")
        found.log.server_ms = 2 * DAY_MS
        await wait_until(lambda: "c1" not in found.follower.commands, "the deletion")
        assert ["c0"] == list((await found.log.load()).commands)
        found.log.server_ms = 8 * DAY_MS
        await wait_until(lambda: ("c0", 8 * DAY_MS) in found.obeyed, "the lift of what is gone")
        stored = await found.log.find("c0")
        assert stored is not None
        assert (EVENT_GONE, 8 * DAY_MS) == (stored.lifted_by, found.told_ms)


async def test_what_has_ended_with_the_kick_off_is_written_down() -> None:
    async with following() as found:
        made = a_command("suspend", key="c1", event="e1", until_kick_off=True)
        await found.log.write(made)
        found.is_in_play, found.log.server_ms = True, 500
        await wait_until(lambda: ("c1", 500) in found.obeyed, "its end")
        stored = await found.log.find("c1")
        assert stored is not None
        assert ("expired", KICKED_OFF) == (stored.state(501), stored.lifted_by)


async def test_what_others_write_into_the_log_is_passed_over() -> None:
    async with following() as found:
        for field in ("c", "other"):
            await found.redis.xadd(found.keys.log, {field: b"\xc1"}, id="90-*")
        await wait_until(lambda: found.seqs[-1] == 90, "the entries")
        await found.log.write(a_command("suspend", key="c1", event="e1"))
        await wait_until(lambda: found.seqs[-1] == 91, "the command that follows")
        assert ("c1", None) == found.obeyed[-1]


async def test_entries_that_take_the_numbers_of_lost_ones_are_obeyed() -> None:
    """A replica that had not heard of the last commands becomes the primary, and people go on commanding at once."""
    async with following() as found:
        await found.log.write(a_command("suspend", key="c1", event="e1"))
        await wait_until(lambda: found.seqs[-1] == 2, "both entries")
        async with found.redis.pipeline() as pipe:
            pipe.delete(found.keys.log, found.keys.table)
            await pipe.execute()
        for key in ("c2", "c3", "c4"):
            await found.log.write(a_command("suspend", key=key, event="e1"))
        await wait_until(lambda: len(found.obeyed) == 5, "the commands made since")
        assert {"c0", "c1", "c2", "c3", "c4"} == {key for key, _ in found.obeyed}
        assert {"c0", "c1", "c2", "c3", "c4"} == (await found.log.load()).commands.keys()
        assert found.follower.losses == 1


async def test_entries_of_two_gateways_are_one_chain() -> None:
    async with following() as found, Redis.from_url(shared_redis.url()) as redis:
        other = CommandLog(redis, found.keys.log.partition(":")[0].removeprefix("{"))
        logs = (found.log, other, found.log, found.log)
        seqs = [(await log.write(a_command("suspend", key=f"d{number}", event="e1"))).seq for number, log in enumerate(logs)]
        assert [2, 3, 4, 5] == seqs
        last = NO_DIGEST
        for _, fields in await found.log.read_raw(0, 1):
            sealed = seal(msgspec.msgpack.decode(fields[b"c"], type=Command), fields[b"s"])
            assert fields[b"d"] == (last := digest_of(last, sealed))
