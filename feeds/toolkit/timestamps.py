"""Orders two messages about the same thing by the provider's clock, which may be set back.

Only for messages of a stream: the entries of a snapshot may be hours old.
"""

from __future__ import annotations

from typing import Final

#: A message further back than this is not late: the clock was set, and the message is the newer one.
CLOCK_SET_MS: Final = 30_000


def is_older(one_ms: float, other_ms: float) -> bool:
    """Return whether one timestamp is before another, and not because the clock was set back. Both in milliseconds."""
    return 0 < other_ms - one_ms < CLOCK_SET_MS
