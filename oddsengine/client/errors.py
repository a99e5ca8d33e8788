"""Errors of a client: what keeps it from current data, or a request from being answered.

A `Problem` is reported and retried, `GaveUp` (a ValueError) ends the client, `NoToken` is the application's own failure, and
`RequestRefused` is the gateway's answer to a request.
"""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """A reason why a client has no current data, of all channels or of some.

    Attributes:
        code: a row of the table in docs/protocol.md: an HTTP status, a closing code, an error code or a loss.
        text: what happened, for people.
        retry_s: when the client tries again, in seconds; None if it has given up, or waits for another token.
        channels: the channels concerned; empty if it is the connection.
    """

    code: str
    text: str
    retry_s: float | None = None
    channels: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as a line of text."""
        return self.text if self.retry_s is None else f"{self.text}; retry in {max(0.1, self.retry_s):.1f} s"


class GaveUp(ValueError):
    """A refusal that no retry can change: the gateway or the user has to change something first.

    Attributes:
        problem: what it was.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.text)


class NoToken(Exception):
    """The application's function for tokens failed."""


class RequestRefused(Exception):
    """The gateway has refused a request.

    Attributes:
        status: the HTTP status.
        code: the error code.
        message: what is wrong, and what is allowed.
        retry_after_s: in how many seconds to try again; None if it does not say.
    """

    def __init__(self, status: int, code: str, message: str, retry_after_s: float | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        super().__init__(message)


#: What it was called when only commands could be refused.
CommandRefused = RequestRefused
