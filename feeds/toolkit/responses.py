"""The handling of failed responses, and the stream half of a codec that only polls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from feeds.errors import ProviderRefused
from feeds.feed import Rejected
from oddsengine.common.excerpts import excerpt

if TYPE_CHECKING:
    from feeds.feed import CodecEvent
    from feeds.transports.http import Response

_UNAUTHORISED: Final = frozenset({401, 403})
_MAX_FAILED_POLLS: Final = 3


def reject_response(response: Response, what: str) -> Rejected | ProviderRefused:
    """Return the event for a failed response: a fatal refusal if the key was not accepted, else a rejection.

    Args:
        response: a response that is not `ok`.
        what: what was requested, for the log.
    """
    if response.status in _UNAUTHORISED:
        return ProviderRefused(f"HTTP {response.status}", response.error_text, fatal=True)
    return Rejected(what, response.error_text, "")


def max_failing_s(interval_s: float, at_least_s: float = 5.0) -> float:
    """Return for how long requests may fail until the prices that they confirm expire, however old they may become otherwise.

    Args:
        interval_s: seconds between two polls: for so many of them prices may be as old as they are.
        at_least_s: what a failure may take in any case, seconds.
    """
    return max(at_least_s, _MAX_FAILED_POLLS * interval_s)


class PollOnly:
    """The stream half of a codec that only polls. Every response is complete, so there is nothing to resume."""

    def reset(self) -> None:
        """Reset nothing: there is no resume state."""

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Reject stream data."""
        return [Rejected("stream", "the feed has no stream", excerpt(data))]

    def data_to_send(self) -> bytes:
        """Return nothing to send."""
        return b""
