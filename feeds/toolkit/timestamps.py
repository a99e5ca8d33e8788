"""Which of two words of a stream about the same thing is the newer one, by the provider's own clock, which may be set.

Not for snapshots: what they hold may have been said hours ago.
"""

from __future__ import annotations

from typing import Final

#: A word further back than this was not late, the clock was set: it is the newer one.
CLOCK_SET_MS: Final = 30_000


def is_older(one_ms: float, other_ms: float) -> bool:
    """Tell whether one time stamp (milliseconds) is before another, and not only because the clock was set back."""
    return 0 < other_ms - one_ms < CLOCK_SET_MS
