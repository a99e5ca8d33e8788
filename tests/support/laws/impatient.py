"""An event loop for laws about what happens in which order, not when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


class _ImpatientLoop(asyncio.SelectorEventLoop):
    """Calls in its next turn what is to be called later."""

    def call_later(  # type: ignore[override] # the types of the arguments do not matter here
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Call a function in the next turn."""
        del delay
        return super().call_later(0.0, callback, *args, context=context)


def run_impatiently(story: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine; no timer takes any time."""
    with asyncio.Runner(loop_factory=_ImpatientLoop) as runner:
        runner.run(story)
