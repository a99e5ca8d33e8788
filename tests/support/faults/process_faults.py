"""Faults of processes: killed, stopped, paused, out of files and out of memory, and with clocks that are off."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.service import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.faults.failover import FailoverInstallation
    from tests.support.faults.members import Member

_BURST: Final = 60
#: No price check lasts so long while all workers run.
_CHECKED_S: Final = 0.3
_CLOCK_SET: Final = "system clock was set, durations are not affected"


async def engine_killed(running: FailoverInstallation) -> None:
    """Kill the oldest engine."""
    await running.engines.pop(0).kill()


async def feeder_killed(running: FailoverInstallation) -> None:
    """Kill what is connected to the provider: a feeder, or an engine."""
    member = await connected(running)
    running.members.of["feeder" if member in running.feeders else "engine"].remove(member)
    await member.kill()


async def connected(running: FailoverInstallation) -> Member:
    """Return what is connected to the provider."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for member in (*running.feeders, *running.engines):
                if await member.is_feeder():
                    return member
            await asyncio.sleep(0.05)


async def engine_stopped(running: FailoverInstallation) -> None:
    """Stop the oldest engine, as an update does."""
    assert await running.engines.pop(0).process.stop() == 0


async def feeder_stopped(running: FailoverInstallation) -> None:
    """Stop the feeder that is connected."""
    member = await connected(running)
    running.feeders.remove(member)
    assert await member.process.stop() == 0


async def engines_replaced(running: FailoverInstallation) -> None:
    """Replace every engine, one by one, as an update does."""
    for _ in range(len(running.engines)):
        await running.start("engine")
        await running.shared_evenly()
        await engine_stopped(running)
        await running.shared_evenly()


async def engine_joins(running: FailoverInstallation) -> None:
    """Start another engine, and wait until it has its share."""
    await running.start("engine")
    await running.shared_evenly()


async def engine_killed_and_restarted(running: FailoverInstallation) -> None:
    """Kill the only engine. A supervisor starts another one a while later."""
    await engine_killed(running)
    await asyncio.sleep(3.5)
    await running.start("engine")
    await running.shared_evenly()
    running.healed()


async def feeder_killed_and_restarted(running: FailoverInstallation) -> None:
    """Kill the only feeder. A supervisor starts another one a while later."""
    await feeder_killed(running)
    await asyncio.sleep(3.5)
    feeder = await running.start("feeder")
    await feeder.process.logged("feed taken over")
    running.healed()


async def paused(running: FailoverInstallation, role: str, seconds: float, *, heals: bool = True) -> None:
    """Pause the oldest process of a role, and wake it.

    Args:
        running: the installation.
        role: the role.
        seconds: for how long.
        heals: whether recovery is only expected once it is awake: no other process does its work.
    """
    member = running.members.of[role][0]
    member.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        member.send(signal.SIGCONT)
    if heals:
        running.healed()


async def feeder_paused(running: FailoverInstallation) -> None:
    """Pause the feeder that is connected to the provider, and wake it once another one is connected."""
    member = await connected(running)
    running.begins()
    member.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(10.0)
    finally:
        member.send(signal.SIGCONT)


async def gateway_stopped(running: FailoverInstallation) -> None:
    """Stop the gateway, as an update does, and start another one."""
    assert await running.members.of["gateway"].pop().process.stop() == 0
    await _gateway_started(running)


async def gateway_killed(running: FailoverInstallation) -> None:
    """Kill the gateway, with its workers if it has some. A supervisor starts another one."""
    gateway = running.members.of["gateway"].pop()
    workers = worker_pids(gateway)
    await gateway.kill()
    for pid in workers:
        await wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), "the end of a worker")  # type: ignore[misc]
    await _gateway_started(running)


async def _gateway_started(running: FailoverInstallation) -> None:
    started = await running.start("gateway")
    await started.process.logged("serving")
    running.healed()


async def worker_killed(running: FailoverInstallation) -> None:
    """Kill the worker that serves the subscriber."""
    os.kill(await serving_pid(running), signal.SIGKILL)


async def worker_paused(running: FailoverInstallation) -> None:
    """Pause the worker that serves the subscriber: its parent replaces it."""
    os.kill(await serving_pid(running), signal.SIGSTOP)


async def worker_paused_and_woken(running: FailoverInstallation) -> None:
    """Pause the worker that serves the subscriber, and wake it before its parent replaces it."""
    pid = await serving_pid(running)
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(1.2)
    finally:
        os.kill(pid, signal.SIGCONT)
    running.healed()


def worker_pids(gateway: Member) -> list[int]:
    """Return the processes of a gateway that serve subscribers, also if it has no others."""
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text()
    return [int(pid) for pid in children.split()] or [gateway.process.pid]


async def serving_pid(running: FailoverInstallation) -> int:
    """Return the process that has the subscriber's connection, which lasts: those of price checks do not."""
    lasting = _own_connections()
    await asyncio.sleep(_CHECKED_S)
    lasting &= _own_connections()
    running.begins()
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    theirs = {f"socket:[{line[9]}]" for line in lines if (line[1], line[2]) in lasting}
    return next(pid for pid in worker_pids(running.gateway) if theirs & _files_of(pid))


def _own_connections() -> set[tuple[str, str]]:
    """Return the peers' and our own addresses of the connections that this process has."""
    own = _files_of("self")
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {(line[2], line[1]) for line in lines if f"socket:[{line[9]}]" in own}


def _files_of(pid: int | str) -> set[str]:
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            found.add(str(file.readlink()))
    return found


@asynccontextmanager
async def _limited(member: Member, kind: int, limit: int) -> AsyncIterator[None]:
    """Limit what a process may use while the context is open."""
    before = resource.prlimit(member.process.pid, kind)
    resource.prlimit(member.process.pid, kind, (limit, before[1]))
    try:
        yield
    finally:
        if member.is_running:
            resource.prlimit(member.process.pid, kind, before)


async def gateway_out_of_files(running: FailoverInstallation) -> None:
    """Limit the open files of a gateway to those that it has, and connect to it."""
    gateway = running.gateway
    async with _limited(gateway, resource.RLIMIT_NOFILE, len(_files_of(gateway.process.pid))):
        port = int(running.subscriber.client.url.rpartition(":")[2].partition("/")[0])
        connecting = [asyncio.open_connection("127.0.0.1", port) for _ in range(_BURST)]
        connections = [each for each in await asyncio.gather(*connecting, return_exceptions=True) if isinstance(each, tuple)]
        await asyncio.sleep(3.0)
        for _, writer in connections:
            writer.close()


async def engine_out_of_files(running: FailoverInstallation) -> None:
    """Limit the open files of an engine to three, and end its connections to Redis."""
    await _out_of_files(running, running.engines[0])


async def feeder_out_of_files(running: FailoverInstallation) -> None:
    """Limit the open files of the connected feeder to three, and end its connections to Redis."""
    await _out_of_files(running, await connected(running))


async def _out_of_files(running: FailoverInstallation, member: Member) -> None:
    async with _limited(member, resource.RLIMIT_NOFILE, 3), running.redis.client() as redis:
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal")
        await asyncio.sleep(4.0)
    running.healed()


async def engine_out_of_memory(running: FailoverInstallation) -> None:
    """Limit the memory of an engine to what it has. It may end: then another one is started."""
    await _out_of_memory(running, running.engines[0], "engine")


async def feeder_out_of_memory(running: FailoverInstallation) -> None:
    """Limit the memory of the connected feeder to what it has. It may end: then another one is there."""
    await _out_of_memory(running, await connected(running), "feeder")


async def gateway_out_of_memory(running: FailoverInstallation) -> None:
    """Limit the memory of a gateway to what it has. It may end: then another one is started."""
    await _out_of_memory(running, running.gateway, "gateway")
    if not running.members.of["gateway"]:
        await _gateway_started(running)


async def _out_of_memory(running: FailoverInstallation, member: Member, role: str) -> None:
    member.process.may_fail = True
    statm = Path(f"/proc/{member.process.pid}/statm").read_text().split()
    async with _limited(member, resource.RLIMIT_AS, int(statm[0]) * os.sysconf("SC_PAGE_SIZE")):
        await asyncio.sleep(4.0)
    if not member.is_running:
        running.members.of[role].remove(member)
    running.healed()


async def clock_set(running: FailoverInstallation, role: str) -> None:
    """Set the clock of a role an hour ahead, then an hour behind, then right."""
    for offset in ("+3600", "-3600", "+0"):
        members = running.members.of[role]
        noticed = [len(member.process.events(_CLOCK_SET)) for member in members]
        for member in members:
            member.set_clock(offset)
        await asyncio.sleep(3.0)
        for member, before in zip(members, noticed, strict=True):
            await member.process.logged(_CLOCK_SET, before + 1)
