"""Splits a handicap market of several lines into one market per line.

Betfair holds all lines of an Asian handicap in one market, whose runners are keyed by id and handicap: the first side at h and
the other at -h are the two selections of a line. As markets of their own, with the home side's line in the id, they are the same
markets as those of other providers. The source's id of a line is that of the market with the first side's handicap,
`1.24@-0.25`: it does not change when a later name shows which side is at home.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from oddsengine.domain.ids import MarketId, SelectionKey, line_text

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import MarketDefinition, SelectionDefinition

#: How many sides a line has.
_SIDES = 2


def has_lines(definition: MarketDefinition) -> bool:
    """Check whether a market holds lines of two sides."""
    if definition.type != "asian_handicap" or definition.line is not None:
        return False
    return 0 < len({selection.side for selection in definition.selections}) <= _SIDES


def split_lines(
    market: str, definition: MarketDefinition, sides: tuple[str, ...], *, away_first: bool
) -> list[tuple[str, MarketDefinition]]:
    """Return a market's lines as markets with their source ids, in the order of the selections.

    Args:
        market: the source's id of the whole market.
        definition: the whole market, with lines (see `has_lines`) and in the source's order of selections.
        sides: the names of the home and the away side; empty if they are not known.
        away_first: whether the first side is the away side.
    """
    lines: dict[float, list[SelectionDefinition]] = {}
    first = definition.selections[0].side
    for selection in definition.selections:
        line = selection.handicap if selection.side == first else -selection.handicap
        lines.setdefault(line or 0.0, []).append(selection)
    keys = ("away", "home") if away_first else ("home", "away")
    split: list[tuple[str, MarketDefinition]] = []
    for line, selections in lines.items():
        home_line = (-line if away_first else line) or 0.0
        named = sorted(
            (_as_side(each, keys[each.side != first], sides) for each in selections), key=lambda each: each.key != "home"
        )
        divider = "@" if definition.id.endswith(f"/{market}") else "/"
        split.append(
            (
                f"{market}@{line_text(line)}",
                msgspec.structs.replace(
                    definition,
                    id=MarketId(f"{definition.id}{divider}{line_text(home_line)}"),
                    line=home_line,
                    # One side alone can't be priced.
                    winners=definition.winners if len(named) == _SIDES else 0,
                    selections=tuple(named),
                ),
            )
        )
    return split


def _as_side(selection: SelectionDefinition, key: str, sides: tuple[str, ...]) -> SelectionDefinition:
    name = sides[key == "away"] if sides else selection.name
    return msgspec.structs.replace(selection, key=SelectionKey(key), name=name, handicap=0.0)
