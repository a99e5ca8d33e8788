"""`oddsengine history price`, `changes` and `commands`: questions about the past to a gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote, urlencode

import typer

from oddsengine.cli.gateway_options import CaOption, TokenOption, ask_gateway, tls_context
from oddsengine.cli.selections import in_order
from oddsengine.cli.support import open_console

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

# The client is imported when a command is called: `--help` and the other commands start faster without.
# ruff: noqa: PLC0415
# Flags of a command line are arguments of a function here.
# ruff: noqa: FBT002

UrlArgument = Annotated[str, typer.Argument(help="A gateway, as localhost:8080.")]
MarketArgument = Annotated[str, typer.Argument(help="The id of a market, as betfair.29283412/match_odds.")]
AtOption = Annotated[str | None, typer.Option(help="When, as 2026-11-26T20:00:00Z or Unix milliseconds. Default: now.")]
ProfileOption = Annotated[str | None, typer.Option(help="Whose prices. Default: those that the token sees.")]
FormatOption = Annotated[str, typer.Option("--format", help="The odds format of prices.")]
FromOption = Annotated[str | None, typer.Option("--from", help="The first time, as 2026-11-26T20:00:00Z or Unix milliseconds.")]
ToOption = Annotated[str | None, typer.Option("--to", help="The last time. Default: as late as the history reaches.")]
LimitOption = Annotated[int, typer.Option(help="Show so many at most.", min=1)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def price(
    url: UrlArgument,
    market: MarketArgument,
    at: AtOption = None,
    profile: ProfileOption = None,
    odds_format: FormatOption = "decimal",
    as_json: JsonOption = False,
    token: TokenOption = None,
    ca: CaOption = None,
) -> None:
    """Show a market as the subscribers of a profile saw it at a time, and since when."""
    query = {"at": at, "profile": profile, "format": odds_format}
    (answer,) = ask_history(url, f"markets/{quote(market, safe='')}", query, None, token, ca)
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False))
        return
    since = answer["since"] if answer["since_is_exact"] else f"{answer['since']} or before"
    shown = answer["market"]
    table = table_of(f"{shown['name']}, {_status(shown)}, v{shown['v']}", "selection", "status", "price")
    for key, selection in in_order(shown["selections"]):
        table.add_row(f"{selection['name']} ({key})", selection["status"], _price(selection))
    show_table(table, f"at {answer['at']}, since {since}, profile {answer['profile']}, position {answer['position']}")


def changes(  # noqa: PLR0913 - each is an option of the command line
    url: UrlArgument,
    market: MarketArgument,
    since: FromOption = None,
    until: ToOption = None,
    profile: ProfileOption = None,
    odds_format: FormatOption = "decimal",
    limit: LimitOption = 1000,
    as_json: JsonOption = False,
    token: TokenOption = None,
    ca: CaOption = None,
) -> None:
    """Show how a market has changed, as the subscribers of a profile saw it."""
    query = {"from": since, "to": until, "profile": profile, "format": odds_format}
    pages = ask_history(url, f"markets/{quote(market, safe='')}/changes", query, (limit, "changes"), token, ca)
    steps = [step for page in pages for step in page["changes"]][:limit]
    if as_json:
        for step in steps:
            typer.echo(json.dumps(step, ensure_ascii=False))
        return
    table = table_of(market, "time", "v", "status", "prices")
    known: dict[str, dict[str, Any]] = (pages[0].get("before") or {}).get("selections", {})
    for step in steps:
        changed = step["market"]
        selections = changed.get("selections", {})
        known = {**known, **{key: each for key, each in selections.items() if "order" in each}}
        prices = ", ".join(f"{key} {_price(each)}" for key, each in in_order(selections, known) if "price" in each)
        status = "left the offer" if changed.get("removed") else _status(changed) if "status" in changed else ""
        table.add_row(step["at"], str(changed.get("v", "")), status, prices)
    gaps = [
        f"gap after {gap['after'] or 'the beginning'} until {gap['until'] or 'now'}: {gap['reason']}" for gap in pages[0]["gaps"]
    ]
    show_table(table, "\n".join([f"profile {pages[0]['profile']}, the history reaches {pages[-1]['reaches']}", *gaps]))


def commands(
    url: UrlArgument,
    since: FromOption = None,
    until: ToOption = None,
    author: Annotated[str | None, typer.Option(help="Only commands of this author.")] = None,
    limit: LimitOption = 1000,
    as_json: JsonOption = False,
    token: TokenOption = None,
    ca: CaOption = None,
) -> None:
    """Show what was done about commands, by whom and when."""
    pages = ask_history(url, "commands", {"from": since, "to": until, "author": author}, (limit, "steps"), token, ca)
    steps = [step for page in pages for step in page["steps"]][:limit]
    if as_json:
        for step in steps:
            typer.echo(json.dumps(step, ensure_ascii=False))
        return
    table = table_of("", "time", "step", "by", "action", "scope", "values", "reason", "command")
    for step in steps:
        command = step["command"]
        people = {"confirmed": command["confirmed_by"], "lifted": command["lifted_by"]}
        scope = ", ".join(f"{name} {value}" for name, value in command["scope"].items())
        values = "" if command["values"] is None else json.dumps(command["values"])
        who = people.get(step["step"]) or command["author"]
        table.add_row(step["at"], step["step"], who, command["action"], scope, values, command["reason"], command["id"])
    show_table(table, "")


def ask_history(
    url: str, path: str, query: dict[str, str | None], pages: tuple[int, str] | None, token: str | None, ca: Path | None
) -> list[dict[str, Any]]:
    """Return what a gateway answers: one object, or pages until these have so many of what a name says."""
    from oddsengine.client.requests import GatewayRequests

    asked = {name: value for name, value in query.items() if value is not None}

    async def run() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        get_token = None if token is None else lambda: token
        async with GatewayRequests(url, "history", token=get_token, ssl=tls_context(ca)) as requests:
            while True:
                limit = {} if pages is None else {"limit": str(min(pages[0], 1000))}
                found.append(await requests.ask("GET", f"/{path}?{urlencode({**asked, **limit})}"))
                following = found[-1].get("next")
                if pages is None or following is None or sum(len(page[pages[1]]) for page in found) >= pages[0]:
                    return found
                asked["cursor"] = following

    return ask_gateway(url, run())


def table_of(title: str, *columns: str) -> Table:
    """Return a table with these columns, without rows."""
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=SIMPLE)
    for column in columns:
        justify: Literal["right", "left"] = "right" if column in {"price", "v"} else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=column == "time")
    return table


def show_table(table: Table, below: str) -> None:
    """Print a table, and a text below it unless that is empty."""
    console = open_console()
    console.print(table)
    if below:
        console.print(below, highlight=False, markup=False)


def _status(market: dict[str, Any]) -> str:
    reason = market.get("reason")
    return str(market["status"]) + (f": {reason}" if reason else "")


def _price(selection: dict[str, Any]) -> str:
    return "-" if selection.get("price") is None else str(selection["price"])
