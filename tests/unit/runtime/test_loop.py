"""What only the event loop has seen is logged, in one line."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from oddsengine.common.reporting.line_limit import LINES
from oddsengine.runtime.loop import LoopErrors

if TYPE_CHECKING:
    from pathlib import Path

NO_LOOP: Any = None


@pytest.mark.parametrize("problem", [ConnectionResetError, ConnectionResetError("by peer"), None])
def test_a_failed_tls_handshake_is_no_error(problem: Any) -> None:
    """aiofastnet reports a client that has hung up as a type, which the default handler can't log."""
    with capture_logs() as logged:
        LoopErrors()(NO_LOOP, {"message": "SSL handshake failed", "exception": problem})
    assert ["debug"] == [line["log_level"] for line in logged]


def test_other_errors_are_logged_a_few_times_a_minute() -> None:
    errors = LoopErrors()
    with capture_logs() as logged:
        for problem in (ValueError("odd"), OSError, *[None] * LINES):
            errors(NO_LOOP, {"message": "Fatal read error", "exception": problem})
    assert LINES == len(logged)
    assert ("ValueError('odd')", "error") == (logged[0]["error"], logged[0]["log_level"])


#: Connects by TLS to a server in a process of its own, a dozen at once, cancelled at moments of their handshakes.
CANCELLED_CONNECTS = """
import asyncio, multiprocessing, random, socket, ssl, sys
from pathlib import Path
from oddsengine.runtime.loop import new_runner
from tests.support.credentials import Certificates

def serve():
    async def accept():
        await (await asyncio.start_server(lambda reader, writer: None, sock=listening, ssl=files.server())).serve_forever()
    # It outlives a process that is aborted, for so long.
    asyncio.run(asyncio.wait_for(accept(), 60))

async def connect(seed):
    moments = random.Random(seed)
    for _ in range(100):
        try:
            async with asyncio.timeout(moments.random() * 0.06):
                made = await asyncio.get_running_loop().create_connection(asyncio.Protocol, *address, ssl=trusting)
            made[0].abort()
        except (TimeoutError, OSError):
            pass

async def main():
    await asyncio.gather(*map(connect, range(12)))

files = Certificates(Path(sys.argv[1]))
trusting = ssl.create_default_context(cafile=files.trusted)
trusting.check_hostname = False
listening = socket.create_server(("127.0.0.1", 0), backlog=100)
address = listening.getsockname()
server = multiprocessing.get_context("fork").Process(target=serve, daemon=True)
server.start()
with new_runner() as runner:
    runner.run(main())
"""


def test_a_connect_that_is_cancelled_in_its_handshake_does_not_end_the_process(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", CANCELLED_CONNECTS, str(tmp_path)]
    done = subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=60)
    assert 0 == done.returncode
