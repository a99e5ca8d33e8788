"""What every adapter makes of an answer that is not what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from feeds.errors import ProviderRefused
from feeds.feed import Rejected
from oddsengine.common.excerpts import excerpt

if TYPE_CHECKING:
    from feeds.feed import CodecEvent
    from feeds.transports.http import Response

_UNAUTHORISED: Final = frozenset({401, 403})


def reject_response(response: Response, what: str) -> Rejected | ProviderRefused:
    """Say why an answer is none: refused for good where the key is, else to be asked again.

    Args:
        response: an answer that is not good.
        what: what was asked for, for the log.
    """
    if response.status in _UNAUTHORISED:
        return ProviderRefused(f"HTTP {response.status}", response.error_text, fatal=True)
    return Rejected(what, response.error_text, "")


class PollOnly:
    """The stream's side of a codec that has none."""

    def reset(self) -> None:
        """Forget nothing: every answer is whole."""

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Refuse bytes."""
        return [Rejected("stream", "this feed has none", excerpt(data))]

    def data_to_send(self) -> bytes:
        """Send nothing."""
        return b""
