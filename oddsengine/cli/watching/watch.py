"""`oddsengine watch`: a live table of channels in the terminal, or a line for each change."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from oddsengine.cli.gateway_options import tls_context, with_advice
from oddsengine.cli.selections import in_order
from oddsengine.cli.support import open_console
from oddsengine.cli.watching.empty_channels import EmptyChannels, nothing_in
from oddsengine.cli.watching.filters import Filter
from oddsengine.cli.watching.lines import Lines
from oddsengine.client import OddsClient, Problem
from oddsengine.client.errors import GaveUp
from oddsengine.common.processes.signals import on_stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from rich.console import Console, RenderableType

Output: TypeAlias = Literal["table", "lines", "json"]
_REFRESH_S: Final = 0.1
_FLASH_S: Final = 1.0
_REPORT_EVERY_S: Final = 30.0
#: How long `--once` waits for the snapshot of a gateway that has accepted the subscription.
_ONCE_TIMEOUT_S: Final = 30.0


class _Table:
    """Renders a client's state. Prices that moved are coloured for a moment."""

    def __init__(self, client: OddsClient, shown: Filter, *, fills_width: bool = True) -> None:
        self._client = client
        self._filter = shown
        self._fills_width = fills_width
        #: what is to be said of channels that show nothing
        self.note = ""
        self._shown: dict[tuple[str, str], float | None] = {}
        self._moved: dict[tuple[str, str], tuple[float, str]] = {}

    def render(self, rows: int) -> RenderableType:
        state = self._client.state
        stale = min((since for channel, since in state.stale.items() if channel in self._client.channels), default=None)
        table = Table(expand=self._fills_width, pad_edge=False)
        for heading, style in (("Market", "bold"), ("Status", ""), ("Selections", "")):
            table.add_column(heading, style=style, overflow="fold")
        now = time.monotonic()
        shown = (each for each in state.markets.values() if self._filter.shows(each, state.events.get(each["event"], {})))
        markets = sorted(shown, key=lambda market: (market["event"], market.get("order", 0), market["id"]))
        for market in markets[:rows]:
            event = state.events.get(market["event"], {})
            name = Text(f"{event.get('name', market['event'])}  {event.get('score') or ''}")
            name.append(f"\n{market['type']} {market['line'] if market['line'] is not None else ''}", style="dim")
            status = f"{market['status']} ({market['reason']})" if market["reason"] else market["status"]
            colour = {"open": "green", "suspended": "yellow"}.get(market["status"], "dim")
            selections = self._selections(market, now)
            if stale is not None:
                status, colour = f"{status}, stale", "yellow"
                selections.stylize("dim")
            table.add_row(name, Text(status, style=colour), selections)
        note = f"{', '.join(self._client.channels)}  {self._connection(stale)}  {len(markets)} markets"
        if len(markets) > rows:
            note += f" ({rows} shown)"
        problem = self._client.problem
        return Group(Text(note, style="bold"), Text(self.note if problem is None else str(problem), style="red"), table)

    def _connection(self, stale: int | None) -> str:
        """Describe the connection, and since when the channel may be out of date."""
        connection = "connected" if self._client.connected else "reconnecting"
        if stale is None:
            return "live"
        return f"{connection}, stale since {datetime.fromtimestamp(stale / 1000, UTC):%H:%M:%S} UTC" if stale else connection

    def _selections(self, market: dict[str, Any], now: float) -> Text:
        line = Text()
        for key, selection in in_order(market["selections"]):
            place = (market["id"], key)
            price, before = selection["price"], self._shown.get(place)
            if price is not None and before is not None and price != before:
                self._moved[place] = (now, "black on green" if price > before else "white on red")
            self._shown[place] = price
            moved_at, style = self._moved.get(place, (0.0, ""))
            line.append(f"{selection['name']} ")
            line.append(
                "  \u2013  " if price is None else f"{price:.2f}" if isinstance(price, float | int) else price,
                style=style if now - moved_at < _FLASH_S else "bold",
            )
            line.append("   ")
        return line


class _Reports:
    """Writes problems to the standard error output where no table is drawn: each when it begins, and then seldom.

    Args:
        is_drawn: whether a table is drawn, which shows them.
    """

    def __init__(self, *, is_drawn: bool) -> None:
        self._is_drawn = is_drawn
        self._last = ""
        self._written_s = 0.0

    def __call__(self, problem: Problem) -> None:
        now_s = time.monotonic()
        if self._is_drawn or (problem.text == self._last and now_s - self._written_s < _REPORT_EVERY_S):
            return
        self._last, self._written_s = problem.text, now_s
        typer.echo(f"error: {with_advice(str(problem), problem.code)}", err=True)


async def watch(
    url: str,
    channels: Sequence[str],
    *,
    once: bool = False,
    shown: Filter = Filter(),  # noqa: B008 - immutable
    output: Output = "table",
    token: str | None = None,
    ca: Path | None = None,
) -> None:
    """Show channels until SIGINT or SIGTERM. Whatever is wrong is shown and retried.

    Args:
        url: the gateway's URL.
        channels: the channels.
        once: whether to print them and return once their snapshots have arrived.
        shown: what of them is shown.
        output: a table, a line for each change, or each message as JSON.
        token: the access token, if one is required.
        ca: the certificates to trust, a PEM file; None for the system's.

    Raises:
        ValueError: if the URL or the file is not valid, if the gateway refuses the client for good, or, with `once`, if there is
            any problem.
    """
    watching = asyncio.current_task()
    assert watching is not None  # noqa: S101 - a coroutine runs in a task
    on_stop(watching.cancel)
    console = open_console()
    client = OddsClient(
        url,
        channels,
        token=None if token is None else lambda: token,
        on_problem=_fail if once else _Reports(is_drawn=console.is_terminal and output == "table"),
        ssl=tls_context(ca),
    )
    try:
        if output == "table":
            await _show(client, _Table(client, shown, fills_width=console.is_terminal), console, once=once)
        else:
            await _write(client, Lines(client.state, shown, as_json=output == "json"), once=once)
    except GaveUp as error:
        raise ValueError(with_advice(str(error), error.problem.code)) from error


async def _show(client: OddsClient, table: _Table, console: Console, *, once: bool) -> None:
    empty = EmptyChannels()
    if once:
        found: RenderableType = ""
        async for message in _until_complete(client):
            empty.note(message)
            # While it is connected: after that, everything is stale.
            found = table.render(len(client.state.markets))
        if client.state.events or not empty.names:
            console.print(found)
        await _require_content(client, empty)
        return
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        refreshing = asyncio.create_task(_refresh(live, table, console, asyncio.current_task()))
        try:
            async with aclosing(client.messages()) as messages:
                async for message in messages:
                    is_empty = empty.note(message)
                    if is_empty or not empty.names:
                        table.note = await nothing_in(client, empty.names) if empty.names else ""
        finally:
            refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await refreshing


async def _write(client: OddsClient, lines: Lines, *, once: bool) -> None:
    empty = EmptyChannels()
    async for message in _until_complete(client) if once else client.messages():
        lines.write(message)
        if empty.note(message) and not once:
            typer.echo(f"note: {await nothing_in(client, [message['channel']])}", err=True)
    if once:
        await _require_content(client, empty)


async def _require_content(client: OddsClient, empty: EmptyChannels) -> None:
    """Raise ValueError if a channel shows nothing: who asks for it once may have misspelt it."""
    if empty.names:
        raise ValueError(await nothing_in(client, empty.names))


async def _until_complete(client: OddsClient) -> AsyncIterator[dict[str, Any]]:
    """Yield the messages up to the last snapshot of the channels. Raises ValueError if they do not arrive in time."""
    missing = set(client.channels)
    try:
        async with asyncio.timeout(_ONCE_TIMEOUT_S), aclosing(client.messages()) as messages:
            async for message in messages:
                yield message
                if message["op"] == "snapshot" and message["last"]:
                    missing.discard(message["channel"])
                    if not missing:
                        return
    except TimeoutError:
        raise ValueError(f"no snapshot of {', '.join(sorted(missing))} within {_ONCE_TIMEOUT_S:g} s") from None


def _fail(problem: Problem) -> None:
    raise ValueError(with_advice(problem.text, problem.code))


async def _refresh(live: Live, table: _Table, console: Console, watching: asyncio.Task[Any] | None) -> None:
    # Not while it closes its connection: what is left on the screen is what was last known, not that it is stale.
    while watching is None or not watching.cancelling():
        live.update(table.render(max(1, (console.size.height - 6) // 2)), refresh=True)
        await asyncio.sleep(_REFRESH_S)
