"""What the documentation grants to the user of Redis."""

from __future__ import annotations

import re
from pathlib import Path

_RUNNING = Path(__file__).parents[3] / "docs" / "running.md"


def granted() -> str:
    """Return the commands that the documentation grants a user."""
    found = re.search(r"and the commands\s+`([^`]+)`", _RUNNING.read_text(encoding="utf-8"))
    assert found is not None
    return found[1]
