"""The recurring work of a gateway beside its followers: sweeps, heartbeats, leases of sessions, keys and certificates."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from oddsengine.common.clock import CLOCK
from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.certificates import renew

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.session_limiter import SessionLimiter
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.timeouts import HandshakeTimeouts
    from oddsengine.runtime.processes.front import Front
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.telemetry.loop_delay import LoopDelay
    from oddsengine.runtime.timing import Timing

SWEEP_S: Final = 0.02
#: A heartbeat check looks at this share of the sessions: at all of them twice a second.
_HEARTBEAT_CHECK_S: Final = 0.02
_HEARTBEAT_SHARE: Final = 0.04

#: the name of a task, and what it runs
Task: TypeAlias = "tuple[str, Coroutine[Any, Any, None]]"


@asynccontextmanager
async def run_tasks(running: list[Task]) -> AsyncIterator[None]:
    """Run tasks until the context is left. One that fails ends it, with an exception group."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine, name=name) for name, coroutine in running]
        try:
            yield
        finally:
            await end_tasks(tasks)


def maintenance(
    hub: Hub, admission: Admission, session_limiter: SessionLimiter, handshakes: HandshakeTimeouts, delay: LoopDelay
) -> list[Task]:
    """Return what runs as long as the gateway, by the names of its tasks."""
    return [
        ("sweep", _sweep(hub, delay)),
        ("clock", CLOCK.watch(_ignore)),
        ("heartbeats", _send_heartbeats(hub)),
        ("session-leases", session_limiter.renew()),
        ("handshakes", handshakes.watch()),
        ("keys", admission.renew_keys()),
    ]


def certificate_renewal(front: Front, settings: Settings, timing: Timing) -> list[Task]:
    """Return what loads a renewed certificate; nothing without TLS."""
    if front.tls is None:
        return []
    cert, key = settings.gateway.tls_cert, settings.gateway.tls_key
    return [("certificate", renew(front.tls, cert, key, check_s=timing.certificate_check_s))]


def _ignore(_step_ms: int) -> None:
    """Ignore a step of the clock: a gateway never compares its clock with a provider's."""


async def _sweep(hub: Hub, delay: LoopDelay) -> None:
    while True:
        delay.sleep()
        await asyncio.sleep(SWEEP_S)
        delay.woke()
        hub.sweep()


async def _send_heartbeats(hub: Hub) -> None:
    while True:
        await asyncio.sleep(_HEARTBEAT_CHECK_S)
        hub.heartbeat(_HEARTBEAT_SHARE)
