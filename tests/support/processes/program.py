"""Programs of others that run for as long as a test needs them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def program(*arguments: str | Path, **options: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program until the context is left, which kills it if it still runs. Options are those of `subprocess`."""
    process = await asyncio.create_subprocess_exec(*map(str, arguments), **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
