"""What only the event loop has seen is logged, in one line."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from oddsengine.common.reporting.line_limit import LINES
from oddsengine.runtime.loop import LoopErrors

NO_LOOP: Any = None


@pytest.mark.parametrize("problem", [ConnectionResetError, ConnectionResetError("by peer"), None])
def test_a_failed_tls_handshake_is_no_error(problem: Any) -> None:
    """aiofastnet reports a client that has hung up as a type, which the default handler can't log."""
    with capture_logs() as logged:
        LoopErrors()(NO_LOOP, {"message": "SSL handshake failed", "exception": problem})
    assert ["debug"] == [line["log_level"] for line in logged]


def test_other_errors_are_logged_a_few_times_a_minute() -> None:
    errors = LoopErrors()
    with capture_logs() as logged:
        for problem in (ValueError("odd"), OSError, *[None] * LINES):
            errors(NO_LOOP, {"message": "Fatal read error", "exception": problem})
    assert LINES == len(logged)
    assert ("ValueError('odd')", "error") == (logged[0]["error"], logged[0]["log_level"])
