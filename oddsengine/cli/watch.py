"""`oddsengine watch`: a live table of a channel in the terminal."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from oddsengine.cli.gateway_options import tls_context
from oddsengine.client import OddsClient, Problem
from oddsengine.common.signals import on_stop

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

_REFRESH_S: Final = 0.1
_FLASH_S: Final = 1.0
_REPORT_EVERY_S: Final = 30.0
#: How long `--once` waits for the snapshot of a gateway that has accepted the subscription.
_ONCE_TIMEOUT_S: Final = 30.0


class _Table:
    """Renders a client's state. Prices that moved are coloured for a moment."""

    def __init__(self, client: OddsClient, channel: str) -> None:
        self._client = client
        self._channel = channel
        self._shown: dict[tuple[str, str], float | None] = {}
        self._moved: dict[tuple[str, str], tuple[float, str]] = {}

    def render(self, rows: int) -> RenderableType:
        state = self._client.state
        stale = state.stale.get(self._channel)
        table = Table(expand=True, pad_edge=False)
        for heading, style in (("Market", "bold"), ("Status", ""), ("Selections", "")):
            table.add_column(heading, style=style, overflow="fold")
        now = time.monotonic()
        markets = sorted(state.markets.values(), key=lambda market: (market["event"], market.get("order", 0), market["id"]))
        for market in markets[:rows]:
            event = state.events.get(market["event"], {})
            name = Text(f"{event.get('name', market['event'])}  {event.get('score') or ''}")
            name.append(f"\n{market['type']} {market['line'] if market['line'] is not None else ''}", style="dim")
            status = market["status"] if market["status"] == "open" else f"{market['status']} ({market['reason'] or ''})"
            colour = {"open": "green", "suspended": "yellow"}.get(market["status"], "dim")
            selections = self._selections(market, now)
            if stale is not None:
                status, colour = f"{status}, stale", "yellow"
                selections.stylize("dim")
            table.add_row(name, Text(status, style=colour), selections)
        note = f"{self._channel}  {self._connection(stale)}  {len(markets)} markets"
        if len(markets) > rows:
            note += f" ({rows} shown)"
        problem = self._client.problem
        return Group(Text(note, style="bold"), Text("" if problem is None else str(problem), style="red"), table)

    def _connection(self, stale: int | None) -> str:
        """Describe the connection, and since when the channel may be out of date."""
        connection = "connected" if self._client.connected else "reconnecting"
        if stale is None:
            return "live"
        return f"{connection}, stale since {datetime.fromtimestamp(stale / 1000, UTC):%H:%M:%S} UTC" if stale else connection

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


class _Reports:
    """Writes problems to the standard error output where no table is drawn: each when it begins, and then seldom.

    Args:
        console: where the table is drawn, if it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""
        self._written_s = 0.0

    def __call__(self, problem: Problem) -> None:
        now_s = time.monotonic()
        if self._console.is_terminal or (problem.text == self._last and now_s - self._written_s < _REPORT_EVERY_S):
            return
        self._last, self._written_s = problem.text, now_s
        typer.echo(f"error: {problem}", err=True)


async def watch(url: str, channel: str, *, once: bool = False, token: str | None = None, ca: Path | None = None) -> None:
    """Show a channel until SIGINT or SIGTERM. Whatever is wrong is shown and retried.

    Args:
        url: the gateway's URL.
        channel: the channel.
        once: whether to print it and return once its snapshot has arrived.
        token: the access token, if one is required.
        ca: the certificates to trust, a PEM file; None for the system's.

    Raises:
        ValueError: if the URL or the file is not valid, if the gateway refuses the client for good, or, with `once`, if there is
            any problem.
    """
    watching = asyncio.current_task()
    assert watching is not None  # noqa: S101 - a coroutine runs in a task
    on_stop(watching.cancel)
    console = Console()
    client = OddsClient(
        url,
        [channel],
        token=None if token is None else lambda: token,
        on_problem=_fail if once else _Reports(console),
        ssl=tls_context(ca),
    )
    table = _Table(client, channel)
    if once:
        try:
            async with asyncio.timeout(_ONCE_TIMEOUT_S):
                await _print_snapshot(client, table, console)
        except TimeoutError:
            raise ValueError(f"no snapshot of {channel} within {_ONCE_TIMEOUT_S:g} s") from None
        return
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        refreshing = asyncio.create_task(_refresh(live, table, console))
        try:
            async with aclosing(client.messages()) as messages:
                async for _ in messages:
                    pass
        finally:
            refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await refreshing


async def _print_snapshot(client: OddsClient, table: _Table, console: Console) -> None:
    async with aclosing(client.messages()) as messages:
        async for message in messages:
            if message["op"] == "snapshot" and message["last"]:
                # While it is connected: after that, everything is stale.
                console.print(table.render(len(client.state.markets)))
                return


def _fail(problem: Problem) -> None:
    raise ValueError(problem.text)


async def _refresh(live: Live, table: _Table, console: Console) -> None:
    while True:
        live.update(table.render(max(1, (console.size.height - 6) // 2)), refresh=True)
        await asyncio.sleep(_REFRESH_S)
