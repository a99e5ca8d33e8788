"""A real OpenID Connect provider in a process of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def identity_provider(*people: dict[str, Any]) -> AsyncIterator[str]:
    """Run the provider while the context is open. Yield its issuer.

    Args:
        people: the claims of those whom it knows.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    known = [part for each in people for part in ("--user-claims", json.dumps(each))]
    command = ("-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true", *known)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    issuer = f"http://127.0.0.1:{port}"
    try:
        await _wait_ready(process, issuer)
        yield issuer
    finally:
        process.terminate()
        await process.wait()


async def _wait_ready(process: asyncio.subprocess.Process, issuer: str) -> None:
    async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as http:
        while True:
            assert process.returncode is None, "the identity provider has ended"
            try:
                async with http.get(f"{issuer}/jwks"):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
