"""The changes a stream can be resumed from. Pure.

A clock is a tick number in hexadecimal; it is valid only together with the `initialClk` under which it was handed out.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

#: The ticks that are kept.
HISTORY_TICKS: Final = 600

Changes = list[dict[str, Any]]


class ChangeHistory:
    """The market changes of the last ticks.

    Args:
        initial_clk: identifies this run of the provider.
        ticks: how many ticks to keep.
    """

    def __init__(self, initial_clk: str, ticks: int = HISTORY_TICKS) -> None:
        self.initial_clk = initial_clk
        self._changes: deque[tuple[int, Changes]] = deque(maxlen=ticks)

    def append(self, tick: int, changes: Changes) -> None:
        """Append the changes of a tick."""
        self._changes.append((tick, changes))

    def restart(self, initial_clk: str) -> None:
        """Forget everything: clocks handed out so far are unknown from now on."""
        self.initial_clk = initial_clk
        self._changes.clear()

    @staticmethod
    def clk(tick: int) -> str:
        """Encode a tick as a clock."""
        return f"{tick:x}"

    def since(self, initial_clk: str, clk: str, now: int) -> Changes | None:
        """Return all changes after a clock; None if it can't be resumed from.

        Args:
            initial_clk: as handed out with the image.
            clk: as handed out with the last message.
            now: the current tick.
        """
        if initial_clk != self.initial_clk:
            return None
        try:
            tick = int(clk, 16)
        except ValueError:
            return None
        if not self._changes or tick < self._changes[0][0] - 1 or tick > now:
            return None
        return [change for number, changes in self._changes if number > tick for change in changes]
