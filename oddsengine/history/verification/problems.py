"""Problems of a history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple


class Problem(NamedTuple):
    """The first row of a chain that is not what it was.

    Attributes:
        chain: which chain: `shard 0`, `records of shard 0`, `commands`, `checkpoints`.
        row: which row: its position or number.
        at_ms: its time, 0 if it has none.
        what: what is wrong with it.
    """

    chain: str
    row: str
    at_ms: int
    what: str

    def __str__(self) -> str:
        """Return it for people."""
        at = f" ({datetime.fromtimestamp(self.at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S.%f} UTC)" if self.at_ms else ""
        return f"{self.chain}: {self.row}{at}: {self.what}"
