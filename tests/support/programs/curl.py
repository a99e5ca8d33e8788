"""curl, the client that most people try a gateway with first."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.processes.program import program
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CURL: Final = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed")


@asynccontextmanager
async def curl_running(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run curl while the context is open, unbuffered and silent. Its output is that of the process."""
    assert CURL is not None
    async with program(CURL, "-sN", *arguments, stdout=asyncio.subprocess.PIPE) as process:
        yield process


async def curl(*arguments: str) -> tuple[int, str]:
    """Run curl to its end. Return its exit code and its output."""
    async with curl_running(*arguments) as process, asyncio.timeout(PATIENCE_S):
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()
