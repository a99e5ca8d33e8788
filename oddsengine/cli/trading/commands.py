"""`oddsengine suspend`, `lift`, `override`, `command` and `commands`: what traders do, from a terminal.

Each prints what the gateway answers, one JSON object a line, and what may be a mistake as warnings.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oddsengine.cli.gateway_options import CaOption, TokenOption, ask_gateway, tls_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from oddsengine.client.commands import CommandClient

# The client is imported when a command is called: `--help` and the other commands start faster without.
# ruff: noqa: PLC0415
# Flags of a command line are arguments of a function here.
# ruff: noqa: FBT002

UrlArgument = Annotated[str, typer.Argument(help="A gateway, as localhost:8080.")]
ScopeArgument = Annotated[
    str, typer.Argument(help="all, sport:<key>, competition:<id>, event:<id>, market:<id> or selection:<market>/<key>.")
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The id of a command.")]
TypeOption = Annotated[list[str] | None, typer.Option("--type", help="Only markets of this type; may be repeated.")]
InPlayOption = Annotated[
    bool | None, typer.Option("--in-play/--not-in-play", help="Only while in play, or only while not. Default: both.")
]
ProfileOption = Annotated[list[str] | None, typer.Option("--profile", help="Only in this profile; may be repeated.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for other people.")]
ExpiresOption = Annotated[
    str | None, typer.Option(help="kick_off, a time as 2026-11-26T20:00:00Z, or seconds. Default: when it is lifted.")
]


def suspend(  # noqa: PLR0913 - each is an option of the command line
    url: UrlArgument,
    scope: ScopeArgument,
    types: TypeOption = None,
    in_play: InPlayOption = None,
    profiles: ProfileOption = None,
    reason: ReasonOption = "",
    expires: ExpiresOption = None,
    token: TokenOption = None,
    ca: CaOption = None,
) -> None:
    """Suspend a selection, a market, an event, a competition, a sport or everything, until it is lifted or expires."""
    options = _options(types, in_play, profiles, reason, expires)
    _print(url, token, ca, _making(scope, {"suspend": None}, options))


def lift(url: UrlArgument, key: IdArgument, token: TokenOption = None, ca: CaOption = None) -> None:
    """Lift a command: what is true without it is published again. Lifting it twice is harmless."""

    async def end(client: CommandClient) -> list[dict[str, Any]]:
        return [await client.lift(key)]

    _print(url, token, ca, end)


def override(  # noqa: PLR0913 - each is an option of the command line
    url: UrlArgument,
    scope: ScopeArgument,
    price: Annotated[list[str] | None, typer.Option(help="A price, as home=2.5; may be repeated.")] = None,
    shift: Annotated[
        list[str] | None, typer.Option(help="Raise a fair probability by a share, as home=0.02; may be repeated.")
    ] = None,
    book_sum: Annotated[float | None, typer.Option(help="The sum of inverse odds per winner, as 1.08.")] = None,
    limit: Annotated[float | None, typer.Option(help="The greatest stake.")] = None,
    bet_delay: Annotated[float | None, typer.Option(help="How long to delay a bet, in seconds.")] = None,
    force: Annotated[bool, typer.Option("--force", help="The prices may break the rules of their profile (role admin).")] = False,
    types: TypeOption = None,
    in_play: InPlayOption = None,
    profiles: ProfileOption = None,
    reason: ReasonOption = "",
    expires: ExpiresOption = None,
    token: TokenOption = None,
    ca: CaOption = None,
) -> None:
    """Set prices, shifts, a book sum, a limit or a bet delay, each with a command of its own."""
    values = {
        "price": _by_selection("--price", price),
        "shift": _by_selection("--shift", shift),
        "book_sum": book_sum,
        "limit": limit,
        "bet_delay_s": bet_delay,
    }
    given = {action: value for action, value in values.items() if value is not None}
    if not given:
        raise typer.BadParameter("nothing to set: give --price, --shift, --book-sum, --limit or --bet-delay")
    options = _options(types, in_play, profiles, reason, expires)
    _print(url, token, ca, _making(scope, given, options, force=force))


def command(  # noqa: PLR0913 - each is an option of the command line
    url: UrlArgument,
    action: Annotated[str, typer.Argument(help="As in docs/commands.md: result, unresult, note, match, unmatch ..")],
    scope: ScopeArgument,
    values: Annotated[
        list[str] | None, typer.Argument(help="One value, as void or pinnacle.77, or one for each selection, as home=winner.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="The prices may break the rules of their profile (role admin).")] = False,
    types: TypeOption = None,
    in_play: InPlayOption = None,
    profiles: ProfileOption = None,
    reason: ReasonOption = "",
    expires: ExpiresOption = None,
    token: TokenOption = None,
    ca: CaOption = None,
) -> None:
    """Make any command, also those that have no name of their own here: results, notes, pairs of events."""
    options = _options(types, in_play, profiles, reason, expires)
    _print(url, token, ca, _making(scope, {action: _values(values or [])}, options, force=force))


def commands(
    url: UrlArgument,
    every: Annotated[bool, typer.Option("--all", help="Also those that have ended, and proposals.")] = False,
    confirm: Annotated[
        str | None,
        typer.Option(metavar="ID", help="First confirm this proposal, with a --token of another person than its author."),
    ] = None,
    token: TokenOption = None,
    ca: CaOption = None,
) -> None:
    """List the commands that hold, newest first, with author, reason and expiry."""

    async def ask(client: CommandClient) -> list[dict[str, Any]]:
        if confirm is not None:
            await client.confirm(confirm)
        return await client.commands(active=None if every else True)

    _print(url, token, ca, ask)


def _print(url: str, token: str | None, ca: Path | None, ask: Callable[[CommandClient], Awaitable[list[dict[str, Any]]]]) -> None:
    from oddsengine.client.commands import CommandClient

    async def run() -> list[dict[str, Any]]:
        async with CommandClient(url, token=None if token is None else lambda: token, ssl=tls_context(ca)) as client:
            return await ask(client)

    answers = ask_gateway(url, run())
    for answer in answers:
        for warning in answer.get("warnings", ()):
            typer.echo(f"warning: {warning}", err=True)
        typer.echo(json.dumps(answer, ensure_ascii=False))


def _options(
    types: list[str] | None,
    in_play: bool | None,  # noqa: FBT001
    profiles: list[str] | None,
    reason: str,
    expires: str | None,
) -> dict[str, Any]:
    """Return the options of a command line as those of the client."""
    narrowed = {"types": types, "in_play": in_play, "profiles": profiles}
    given = {name: value for name, value in narrowed.items() if value not in (None, [])}
    return {**given, "reason": reason, "expires": None if expires is None else _number_or_text(expires)}


def _making(
    scope: str, values: dict[str, Any], options: dict[str, Any], *, force: bool = False
) -> Callable[[CommandClient], Awaitable[list[dict[str, Any]]]]:
    """Return what makes a command for each action, one after the other."""

    async def make(client: CommandClient) -> list[dict[str, Any]]:
        return [
            # Beside a price, force is not for the others; alone, the gateway says so.
            await client.make(action, scope, values=value, force=force and (action == "price" or len(values) == 1), **options)
            for action, value in values.items()
        ]

    return make


def _number_or_text(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _values(texts: list[str]) -> Any:
    """Return the values of a command: one, or one for each selection."""
    if len(texts) == 1 and "=" not in texts[0]:
        return _number_or_text(texts[0])
    values: dict[str, str | float] = {}
    for text in texts:
        key, separator, value = text.rpartition("=")
        if not separator or not key or not value:
            raise typer.BadParameter(f"{text!r} is not a selection and its value, as home=winner", param_hint="VALUES")
        values[key] = _number_or_text(value)
    return values or None


def _by_selection(option: str, pairs: list[str] | None) -> dict[str, float] | None:
    values: dict[str, float] = {}
    for pair in pairs or ():
        key, _, value = pair.rpartition("=")
        try:
            values[key] = float(value)
        except ValueError:
            key = ""
        if not key:
            raise typer.BadParameter(f"{pair!r} is not a selection and a number, as home=2.5", param_hint=option)
    return values or None
