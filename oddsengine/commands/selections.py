"""Which selections a command may name: a market type whose selections are the same at every source has no others."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from oddsengine.common.excerpts import echoed
from oddsengine.domain.market_types import MARKET_TYPES

if TYPE_CHECKING:
    from oddsengine.commands.command import Command
    from oddsengine.domain.taxonomy import MarketType

#: Longest first: the id of a market may continue the name of its type with a unit.
_BY_LENGTH: Final = sorted(MARKET_TYPES, key=len, reverse=True)


def type_of(market: str) -> MarketType | None:
    """Return the type that the id of a market names, None if it names none."""
    name = market.partition("/")[2].partition("/")[0]
    return next((each for each in _BY_LENGTH if name == each or name.startswith(f"{each}_")), None)


def named_selections(command: Command) -> list[str]:
    """Return the keys of the selections that a command names."""
    key = command.scope.selection_key
    if key is not None:
        return [key]
    return list(command.values) if isinstance(command.values, dict) else []


def impossible_selection(command: Command, market_type: MarketType | None = None) -> str | None:
    """Return why no market of a command's scope can ever have a selection that it names, None if each is possible.

    Args:
        command: the command.
        market_type: the type of its only market, where that is on offer; None to take it from the scope.
    """
    market = command.scope.market_id
    types = [market_type or type_of(market)] if market is not None else list(command.scope.types)
    roles = [None if each is None else MARKET_TYPES[each].roles.split() for each in types]
    if not roles or not all(roles):
        return None
    allowed = list(dict.fromkeys(role for of_type in roles for role in of_type or ()))
    for key in named_selections(command):
        if key not in allowed:
            close = difflib.get_close_matches(key, allowed, n=1)
            suggestion = f"; did you mean {close[0]!r}?" if close else ""
            named = " or ".join(str(each) for each in types)
            return f"no market of the type {named} has a selection {echoed(key)}: they have {', '.join(allowed)}{suggestion}"
    return None
