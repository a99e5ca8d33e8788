"""`oddsengine gateway`: gateways that follow the streams of a Redis, one per worker process."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import structlog

from oddsengine.common.processes.signals import on_reload
from oddsengine.runtime.gateway import open_gateway, read_secrets, run_gateway, wait_loaded
from oddsengine.runtime.processes.file_watch import POLL_S
from oddsengine.runtime.processes.front import Front, announce, url_of, when_free
from oddsengine.runtime.processes.redis import provide_redis
from oddsengine.runtime.processes.startup import Step, Stopped
from oddsengine.runtime.processes.worker import linked_to_parent
from oddsengine.runtime.processes.workers import Workers
from oddsengine.runtime.reload import GATEWAY_READS, Reloader, run_reloader
from oddsengine.runtime.settings import ConfigError
from oddsengine.runtime.settings.reload_table import is_live
from oddsengine.runtime.telemetry.metrics import SharedRegistry, build_registry
from oddsengine.runtime.telemetry.scrapes import open_scrapes
from oddsengine.runtime.telemetry.tracing import open_tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


#: What a running service can't change: where it listens, and how many workers do.
_FIXED_KEYS: Final = frozenset({"gateway.host", "gateway.port", "gateway.workers", "gateway.worker_timeout_s"})


async def gateway(
    startup: Startup,
    settings: Settings,
    config: Path,
    load: Callable[[Path], Settings],
    *,
    inherited: Sequence[int] = (),
    control: int | None = None,
    silent_s: float = 0.0,
) -> None:
    """Run one gateway in this process until SIGINT or SIGTERM, then drain. SIGHUP and a change of the file reload its config.

    Args:
        startup: the steps of the start.
        settings: the configuration. Its Redis has a URL.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
        inherited: the file descriptors of sockets to listen on; empty to bind the port.
        control: the file descriptor of the channel to the parent, if this is a worker; the parent watches the file.
        silent_s: how long what arrives waits for this worker, or is left to another on the same sockets.
    """
    async with AsyncExitStack() as stack:
        link = None if control is None else await stack.enter_async_context(linked_to_parent(control, startup))
        opened = await stack.enter_async_context(open_gateway(settings, startup, inherited=inherited, silent_s=silent_s))
        tracing = await stack.enter_async_context(open_tracing(settings, "gateway", startup))
        # The parent of workers has the port of the metrics.
        scrapes = await stack.enter_async_context(open_scrapes(settings.metrics, startup, binds=link is None))
        redis_url, _ = await stack.enter_async_context(provide_redis(settings, startup))
        registry_of = build_registry if link is None else link.registry
        running = run_gateway(
            settings, redis_url, opened=opened, registry_of=registry_of, startup=startup, scrapes=scrapes, tracing=tracing
        )
        service = await stack.enter_async_context(running)
        poll_s = POLL_S if link is None else None
        reloader = Reloader(config, load, settings, None, parts=service.parts, reads=GATEWAY_READS, poll_s=poll_s)
        await stack.enter_async_context(run_reloader(reloader))
        on_reload(reloader.request)
        if link is not None:
            link.on_reload = reloader.request
        await wait_loaded(service, startup)
        if link is not None:
            link.send_heartbeat()
        url = url_of(settings.gateway.host, service.port, tls=opened.front.tls is not None)
        _log.info("serving", url=url, worker=os.getpid())
        await startup.stopping.wait()
        await service.withdraw(startup)
        _log.info("stopping", worker=os.getpid())


class AcceptedConfig:
    """The config in effect, in memory: a file that was broken since must not keep a worker from being started again.

    Args:
        config: the file.
        load: loads it; raises ConfigError.
    """

    def __init__(self, config: Path, load: Callable[[Path], Settings]) -> None:
        self._config = config
        self._load = load
        self.fd = os.memfd_create("oddsengine-config")
        #: as the workers can read it
        self.path = Path(f"/proc/self/fd/{self.fd}")
        self.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def update(self) -> Settings | None:
        """Take over the file as it is now. Return what it says; None, and keep the last one, if it can't be used."""
        before = self.path.read_bytes()
        try:
            self.path.write_bytes(self._config.read_bytes())
            return self._load(self.path)
        except (OSError, ConfigError):
            self.path.write_bytes(before)
            return None


async def gateway_workers(
    startup: Startup, settings: Settings, config: Path, load: Callable[[Path], Settings], count: int
) -> None:
    """Run gateways in worker processes until SIGINT or SIGTERM, then drain them; see `Workers`.

    SIGHUP and a change of the file reload the config. Where that needs new processes, each worker is replaced.

    Args:
        startup: the steps of the start.
        settings: the configuration. Its Redis has a URL.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
        count: how many workers.
    """
    host, port = settings.gateway.host, settings.gateway.port
    with startup.doing(Step.SECRETS):
        _, tls = read_secrets(settings)
    with startup.doing(Step.BIND):
        own, shared = await startup.unless_stopped(when_free(host, port, count, startup))
    async with AsyncExitStack() as sockets:
        front = Front(own, tls)
        sockets.push_async_callback(front.close)
        for each in shared:
            for sock in each:
                sockets.enter_context(sock)
        await front.answer(startup)
        sockets.enter_context(announce(own, tls=tls is not None))
        accepted = sockets.enter_context(AcceptedConfig(config, load))
        arguments = ["gateway", "--config", str(accepted.path), "--host", host, "--workers", "1"]
        workers = Workers(arguments, shared, settings.gateway.worker_timeout_s, [accepted.fd], startup)
        workers.drain_delay_s = settings.gateway.drain_delay_s

        def reloaded(needed: Sequence[str]) -> None:
            if (changed := accepted.update()) is not None:
                workers.drain_delay_s = changed.gateway.drain_delay_s
            if any(key not in _FIXED_KEYS and not is_live(key) for key in needed):
                workers.replace()
            else:
                workers.reload()

        reloader = Reloader(config, load, settings, None, reads=GATEWAY_READS, restarts=reloaded, fixed=_FIXED_KEYS)
        on_reload(reloader.request)
        async with (
            open_scrapes(settings.metrics, startup) as scrapes,
            scrapes.serving(SharedRegistry(workers.samples)),
            run_reloader(reloader),
            asyncio.TaskGroup() as group,
        ):
            keeping = group.create_task(workers.run(), name="workers")
            try:
                _log.info("workers", url=url_of(host, front.port, tls=tls is not None), workers=count)
                with suppress(Stopped):
                    await startup.unless_stopped(workers.serving.wait())
                    # Connections come to the workers that serve from now on.
                    await front.close()
                    startup.ready()
                    await startup.stopping.wait()
            finally:
                keeping.cancel()
                # It listens itself until a worker serves.
                await front.close()
                # Its copies of the sockets are closed when the workers close theirs: then connections are refused.
                await startup.linger(workers.drain_delay_s)
                if startup.pause_skipped.is_set():
                    workers.skip_pause()
                for sock in (each for sockets_of_worker in shared for each in sockets_of_worker):
                    sock.close()
