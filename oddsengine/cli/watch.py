"""`oddsengine watch`: a live table of a channel in the terminal."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from oddsengine.client import OddsClient
from oddsengine.common.signals import on_stop

if TYPE_CHECKING:
    from rich.console import RenderableType

_REFRESH_S: Final = 0.1
_FLASH_S: Final = 1.0


class _Table:
    """Renders a client's state. Prices that moved are coloured for a moment."""

    def __init__(self, client: OddsClient, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._shown: dict[tuple[str, str], float | None] = {}
        self._moved: dict[tuple[str, str], tuple[float, str]] = {}
        self.error = ""

    def render(self, rows: int) -> RenderableType:
        state = self._client.state
        table = Table(expand=True, pad_edge=False)
        for heading, style in (("Market", "bold"), ("Status", ""), ("Selections", "")):
            table.add_column(heading, style=style, overflow="fold")
        now = time.monotonic()
        markets = sorted(state.markets.values(), key=lambda market: (market["event"], market["id"]))
        for market in markets[:rows]:
            event = state.events.get(market["event"], {})
            name = Text(f"{event.get('name', market['event'])}  {event.get('score') or ''}")
            name.append(f"\n{market['type']} {market['line'] if market['line'] is not None else ''}", style="dim")
            status = market["status"] if market["status"] == "open" else f"{market['status']} ({market['reason'] or ''})"
            colour = {"open": "green", "suspended": "yellow"}.get(market["status"], "dim")
            table.add_row(name, Text(status, style=colour), self._selections(market, now))
        connected = "live" if self._client.connected else "reconnecting"
        note = f"{self._channel}  {connected}  {len(markets)} markets"
        if len(markets) > rows:
            note += f" ({rows} shown)"
        return Group(Text(note, style="bold"), Text(self.error, style="red") if self.error else Text(""), table)

    def _selections(self, market: dict[str, Any], now: float) -> Text:
        line = Text()
        for key, selection in market["selections"].items():
            place = (market["id"], key)
            price, before = selection["price"], self._shown.get(place)
            if price is not None and before is not None and price != before:
                self._moved[place] = (now, "black on green" if price > before else "white on red")
            self._shown[place] = price
            moved_at, style = self._moved.get(place, (0.0, ""))
            line.append(f"{selection['name']} ")
            line.append("  \u2013  " if price is None else f"{price:.2f}", style=style if now - moved_at < _FLASH_S else "bold")
            line.append("   ")
        return line


async def watch(url: str, channel: str, *, once: bool = False, token: str | None = None) -> None:
    """Show a channel until SIGINT or SIGTERM.

    Args:
        url: the gateway's URL.
        channel: the channel.
        once: whether to print it and return once its snapshot has arrived.
        token: the access token, if one is required.

    Raises:
        ValueError: if the URL is not a gateway's, or the gateway rejects the channel.
    """
    watching = asyncio.current_task()
    assert watching is not None  # noqa: S101 - a coroutine runs in a task
    on_stop(watching.cancel)
    client = OddsClient(url, [channel], token=None if token is None else lambda: token)
    table = _Table(client, channel)
    console = Console()
    if once:
        async with aclosing(client.messages()) as messages:
            async for message in messages:
                _raise_error(message)
                if message["op"] == "snapshot" and message["last"]:
                    console.print(table.render(len(client.state.markets)))
                    return
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        refreshing = asyncio.create_task(_refresh(live, table, console))
        try:
            async with aclosing(client.messages()) as messages:
                async for message in messages:
                    _raise_error(message)
        finally:
            refreshing.cancel()


def _raise_error(message: dict[str, Any]) -> None:
    if message["op"] == "error":
        raise ValueError(message["message"])


async def _refresh(live: Live, table: _Table, console: Console) -> None:
    while True:
        live.update(table.render(max(1, (console.size.height - 6) // 2)), refresh=True)
        await asyncio.sleep(_REFRESH_S)
