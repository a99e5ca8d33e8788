"""`oddsengine history explain`: what led to the prices of a market at a time."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import typer

from oddsengine.cli.gateway_options import CaOption, TokenOption  # noqa: TC001 - read when the command is made
from oddsengine.cli.history.questions import AtOption, JsonOption, MarketArgument, UrlArgument, ask_history, show_table, table_of

# Flags of a command line are arguments of a function here.
# ruff: noqa: FBT002


def explain(
    url: UrlArgument,
    market: MarketArgument,
    at: AtOption = None,
    as_json: JsonOption = False,
    token: TokenOption = None,
    ca: CaOption = None,
) -> None:
    """Show what led to the prices of a market at a time: quotes, fair probabilities, rules, commands, guards and steps."""
    (answer,) = ask_history(url, f"markets/{quote(market, safe='')}/explain", {"at": at}, None, token, ca)
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False))
        return
    found = answer["explanation"]
    columns = ("selection", "quotes", "profile", "fair", "steps", "price")
    table = table_of(f"{market}, {_state(found)}, v{found['v']}", *columns)
    for key, selection in found["selections"].items():
        quotes = ", ".join(map(_quoted, selection["said"]))
        for profile, priced in selection["profiles"].items():
            fair = "-" if priced["fair"] is None else f"{priced['fair']:.4f}"
            steps = "; ".join(map(_step, priced["steps"]))
            table.add_row(key, quotes, profile, fair, steps, "-" if priced["price"] is None else str(priced["price"]))
            quotes = ""
    show_table(table, "\n".join(_below(answer)))


def _state(found: dict[str, Any]) -> str:
    """Return the state of a market: of each profile if they differ. Explanations of earlier releases have one for all."""
    seen = {name: _described({**found, **profile}) for name, profile in found["profiles"].items()}
    if len(set(seen.values())) > 1:
        return "; ".join(f"{name} {said}" for name, said in seen.items())
    return next(iter(seen.values()), _described(found))


def _described(state: dict[str, Any]) -> str:
    return f"{state['status']}: {state['reason']}" if state["reason"] else str(state["status"])


def _quoted(said: dict[str, Any]) -> str:
    found = f"{said['back']}/{said['lay']}" if said["quote"] is None else str(said["quote"])
    return f"{said['source']} {found}" + ("" if said["status"] == "active" else f" ({said['status']})")


def _step(step: dict[str, Any]) -> str:
    return " ".join([step["step"], *(f"{name} {value}" for name, value in step.items() if name != "step" and value is not None)])


def _below(answer: dict[str, Any]) -> list[str]:
    """Return what is said below the table: of which time it is, and what holds for the whole market."""
    found = answer["explanation"]
    lines = [f"at {answer['at']}, explained at {answer['explained_at']}, position {answer['position']}"]
    if not answer["exact"]:
        lines.append(f"v{answer['v']} of that time was not explained: this is v{found['v']}, before it")
    lines.append(f"priced by {found['priced_by'] or 'nothing'}")
    rules = {tuple(priced["rule"]) for each in found["selections"].values() for priced in each["profiles"].values()}
    lines += [f"rule: {', then '.join(rule)}" for rule in sorted(rules)]
    lines += [f"command {each['id']}: {each['action']}, {each['reason'] or 'no reason given'}" for each in found["commands"]]
    lines += [
        f"guard {guard['guard']}: {guard['value']} of {guard['limit']}, suspends"
        for guard in (*found["guards"], *found["profiles"].values())
        if guard["suspends"]
    ]
    return lines
