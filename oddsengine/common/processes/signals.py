"""Signal handlers of the running event loop. They last until the loop is closed."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Ctrl-C in a terminal, and what process managers send.
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def on_stop(callback: Callable[[], object]) -> None:
    """Call back on SIGINT and SIGTERM. Replaces the previous handler."""
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, callback)


def on_reload(callback: Callable[[], object]) -> None:
    """Call back on SIGHUP. Replaces the previous handler."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, callback)
