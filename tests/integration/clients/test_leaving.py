"""Leaving the loop over a client's messages, in a process whose standard error output is read."""

from __future__ import annotations

import asyncio
import sys

from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.service import running_service

#: Leaves the loop: with nothing after it, with other work after it, and to go on later from where it was.
_PROGRAM = """
import asyncio, gc, sys
from oddsengine.client import OddsClient

async def first(client):
    async for message in client.messages():
        if message["op"] == "snapshot":
            break

async def main(base, ending):
    client = OddsClient(base, ["event:e1"])
    await first(client)
    if ending == "later":
        await asyncio.sleep(0.2)
    elif ending == "again":
        gc.collect()
        assert client.state.stale or client.connected
        async for message in client.messages():
            if message["op"] == "subscribed":
                assert message["resumed"], message
                break
    assert client.state.markets

asyncio.run(main(*sys.argv[1:]), debug=False)  # which would report a slow machine
print("done")
"""


async def test_leaving_the_loop_writes_nothing() -> None:
    async with running_service() as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        endings = ("at once", "later", "again")
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                *("-X", "dev", "-W", "error", "-c", _PROGRAM, service.base, ending),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            for ending in endings
        ]
        for ending, process in zip(endings, processes, strict=True):
            assert (b"done\n", b"") == await process.communicate(), ending
