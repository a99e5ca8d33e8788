"""An event loop whose time passes only when nothing is left to do."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

#: After so many turns without time everything that was ready has run.
_TURNS = 25


class _Selector(selectors.DefaultSelector):
    """Waits by moving the time of its loop."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready at once."""
        assert timeout is not None, "nothing would ever happen"
        self.now_s += max(timeout, 0.0)
        return super().select(0)


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return how many seconds have passed."""
        return self._virtual.now_s

    def settle(self) -> None:
        """Run what is ready, without time passing."""

        async def turns() -> None:
            for _ in range(_TURNS):
                await asyncio.sleep(0)

        self.run_until_complete(turns())

    def pass_time(self, seconds: float) -> None:
        """Run for a while."""
        self.run_until_complete(asyncio.sleep(seconds))

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine to its end."""
        self.run_until_complete(coroutine)
