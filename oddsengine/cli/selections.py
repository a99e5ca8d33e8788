"""The order in which commands show the selections of a market."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def in_order(selections: Mapping[str, dict[str, Any]], known: Mapping[str, dict[str, Any]] = _NOTHING) -> list[tuple[str, Any]]:
    """Return selections as their market orders them: home, draw, away.

    Args:
        selections: those to show, whole or only what has changed of them.
        known: the market's selections, where changes do not say their order.
    """
    return sorted(selections.items(), key=lambda item: item[1].get("order", known.get(item[0], _NOTHING).get("order", 0)))
