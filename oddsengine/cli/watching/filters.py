"""Filter of what is shown of a channel."""

from __future__ import annotations

from typing import Any, NamedTuple

#: What of a market says whether it can be bet on.
_STATE = frozenset({"status", "reason", "removed", "in_play"})


class Filter(NamedTuple):
    """Selects markets of these sports and types, all where none are named; and of them all changes or those of their state."""

    sports: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    state_only: bool = False

    def shows(self, market: dict[str, Any], event: dict[str, Any]) -> bool:
        """Check whether a market is shown."""
        if self.sports and event.get("sport") not in self.sports:
            return False
        return not self.types or market.get("type") in self.types

    def shows_change(self, change: dict[str, Any]) -> bool:
        """Check whether a change of a market that is shown is shown too."""
        return not self.state_only or not _STATE.isdisjoint(change)
