"""The rules of RFC 6455 that the server's end of a WebSocket keeps itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.server.sockets.connection import close_reply

#: RFC 6455, section 7.4: reserved, or only for reporting a closing that had no code.
_NEVER_SENT = (1004, 1005, 1006, 1015)


@given(code=st.sampled_from([1000, 1001, 1002, 1003, *range(1007, 1015)]) | st.integers(3000, 4999))
def test_a_closing_frame_is_answered_with_its_code(code: int) -> None:
    assert code == close_reply(code)


@given(code=st.sampled_from(_NEVER_SENT) | st.integers(1, 999) | st.integers(1016, 2999) | st.integers(5000, 65535))
def test_a_code_that_must_not_be_sent_is_a_protocol_error(code: int) -> None:
    assert 1002 == close_reply(code)


def test_a_closing_frame_without_a_code_is_answered_with_1000() -> None:
    assert 1000 == close_reply(0)
