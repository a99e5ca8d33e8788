"""Pages of the list of commands: how many, after which one, and which."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.commands.validation import BadCommand
from oddsengine.common.excerpts import echoed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.commands.command import Command

#: How many commands a page has, unless a request says so, and at most.
LISTED: Final = 250
MAX_LISTED: Final = 1000
_PARAMETERS: Final = ("active", "after", "limit")
_CURSOR: Final = re.compile(r"([0-9]{1,15})-([!-~]{1,100})")


class Page(NamedTuple):
    """A page that a request asks for; `after` is the place of the last command of the page before."""

    limit: int
    after: tuple[int, str] | None
    active: bool | None


def place_of(command: Command) -> tuple[int, str]:
    """Return where a command stands in the list; later ones have a greater place."""
    return command.created_ms, command.id


def cursor_of(command: Command) -> str:
    """Return what names the page that follows a command."""
    return f"{command.created_ms}-{command.id}"


def page_of(query: Mapping[str, str]) -> Page:
    """Return what the parameters of a request ask for.

    Raises:
        BadCommand: if one is unknown or not allowed.
    """
    unknown = query.keys() - set(_PARAMETERS)
    if unknown:
        raise BadCommand(f"unknown parameter {echoed(min(unknown))}; the parameters are {', '.join(_PARAMETERS)}")
    active, limit, after = query.get("active"), query.get("limit", str(LISTED)), query.get("after")
    if active not in {None, "true", "false"}:
        raise BadCommand(f"active must be true or false, not {echoed(active)}")
    if not re.fullmatch("[0-9]{1,4}", limit) or not 1 <= int(limit) <= MAX_LISTED:
        raise BadCommand(f"limit is 1 to {MAX_LISTED}, not {echoed(limit)}")
    cursor = None if after is None else _CURSOR.fullmatch(after)
    if after is not None and cursor is None:
        raise BadCommand(f"after is the `next` of the page before, not {echoed(after)}")
    place = None if cursor is None else (int(cursor[1]), cursor[2])
    return Page(int(limit), place, None if active is None else active == "true")
