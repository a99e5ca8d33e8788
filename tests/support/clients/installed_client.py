"""Follows a gateway, checks a price and makes a command with the client as it is installed: `python installed_client.py LOG`.

The log is that of a server of the demo, which names its URL once it listens. Run by `.ci/python-client`, without the repository.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
from pathlib import Path

from oddsengine.client import GaveUp, OddsClient, QuoteToCheck, RequestRefused


def url_of(log: Path) -> str:
    """Return the URL that a server listens at."""
    found = re.search(r"http://[\w.]+:\d+", log.read_text(encoding="utf-8"))
    if found is None:
        raise RequestRefused(503, "not_ready", "not listening yet")
    return found.group()


async def follow(url: str) -> str:
    """Follow a sport, ask the HTTP API about one of its markets, and leave the channel."""
    async with OddsClient(url, ["sport:football"]) as client:
        async for message in client:
            if message["op"] == "snapshot" and message["last"]:
                break
        open_markets = [market for market in client.state.markets.values() if market["status"] == "open"]
        market = await client.api.market(open_markets[0]["id"])
        selection, price = [(key, each.price) for key, each in market.selections.items() if each.price is not None][0]  # noqa: RUF015
        quote = QuoteToCheck(market=market.id, selection=selection, price=price)
        (checked,) = await client.api.check_quotes([quote], accept="any")
        command = await client.api.command("suspend", f"market:{market.id}", reason="a try", expires=60)
        await client.api.lift(command.id)
        await client.unsubscribe("sport:football")
        assert not client.state.markets
        return f"{len(open_markets)} open markets, {market.name} checked: {checked.result}, command {command.state}"


async def main(log: Path) -> None:
    """Try until the server is ready."""
    assert importlib.util.find_spec("oddsengine.runtime") is None, "the server is installed too"
    async with asyncio.timeout(60):
        while True:
            try:
                found = await follow(url_of(log))
            except (RequestRefused, GaveUp, OSError, IndexError):
                await asyncio.sleep(0.5)
            else:
                print(found)  # noqa: T201 - for whoever runs it
                return


asyncio.run(main(Path(sys.argv[1])))
