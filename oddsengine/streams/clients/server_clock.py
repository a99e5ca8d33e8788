"""The time of a Redis server as its replies say it, so that a write can name the moment after which it is too old.

No clock needs to agree with another: the server's is compared with itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: How long a write may be on its way: longer than Redis takes, shorter than what it takes a gateway to call a shard stale.
MAX_AGE_MS: Final = 1500
#: A reply that took longer says too little.
_QUICK_S: Final = 0.5


class ServerClock:
    """The time of one server.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: the server's time when ours is 0, at most; None while it is not known
        self._zero_ms: float | None = None

    def limit_ms(self) -> int:
        """Return the server's time after which what is sent now is too old; 0 while it is not known."""
        return 0 if self._zero_ms is None else int(self._zero_ms + self._clock() * 1000) + MAX_AGE_MS

    @property
    def is_known(self) -> bool:
        """Whether anything is known of the server's time."""
        return self._zero_ms is not None

    def note(self, sent_s: float, server_ms: int) -> None:
        """Note the time that a reply says. One that took long is used only where nothing better is known.

        Args:
            sent_s: when the command was sent.
            server_ms: the server's time when it was executed, Unix milliseconds.
        """
        if self._zero_ms is None or self._clock() - sent_s < _QUICK_S:
            self._zero_ms = server_ms - sent_s * 1000

    def forget(self) -> None:
        """Forget the server's time: it was set, or the server is another one."""
        self._zero_ms = None
