"""RabbitMQ as a process of the test's own: its own node, port mapper, folder and port, all on loopback."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.processes.ports import free_port
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

#: The script itself: that on PATH changes the user if root calls it.
_SCRIPTS: Final = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
_EPMD: Final = shutil.which("epmd")
needs_rabbitmq = pytest.mark.skipif(not _SCRIPTS or _EPMD is None, reason="rabbitmq-server is not installed")


@asynccontextmanager
async def _process(*command: str | Path, environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *map(str, command), env=dict(environment), stdout=null, stderr=null, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            # With what it has started: the script, the virtual machine, and its helpers.
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def rabbitmq(folder: Path, config: str = "") -> AsyncIterator[int]:
    """Run a broker while the context is open. Yield its port; guest may do everything.

    Args:
        folder: for its files.
        config: its configuration.
    """
    assert _EPMD is not None
    port, mapper, distribution = free_port(), free_port(), free_port()
    (folder / "plugins").write_text("[].\n")
    (folder / "rabbitmq.conf").write_text(f"{config}\n")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"odds{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        # One scheduler that does not wait busily: other tests run beside it.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
    }
    async with (
        _process(_EPMD, "-port", str(mapper), "-address", "127.0.0.1", environment=environment),
        _process(_SCRIPTS[-1], environment=environment) as server,
    ):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                assert server.returncode is None, "rabbitmq-server has ended"
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    break
        yield port
