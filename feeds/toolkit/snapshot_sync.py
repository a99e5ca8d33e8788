"""The part of a codec that fetches the state over HTTP while the stream that continues it is already open.

Live is who has both: all that is listed has been fetched on this connection, and what the stream said meanwhile was applied
after it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import msgspec

from feeds.feed import CodecEvent, Rejected, VerificationSnapshot
from feeds.toolkit.answers import reject_response
from feeds.toolkit.snapshot_fetcher import SnapshotFetcher
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feeds.transports.http import Response

#: How long a list of events is good, in milliseconds.
_REFRESH_MS: Final = 60_000


class SnapshotSync(ABC):
    """Asks for the list of events and for each event's state, and says when stream and state are together.

    Args:
        chunk: how many events the provider takes in one question.
    """

    def __init__(self, chunk: int) -> None:
        self._fetcher = SnapshotFetcher(chunk, _REFRESH_MS)
        self._is_live = False
        self._sampling = False

    @abstractmethod
    def _sources(self) -> Iterable[str]:
        """Name the sources that become live together."""

    @abstractmethod
    def _decode_response(self, response: Response, events: list[CodecEvent]) -> None:
        """Turn a good answer into events. Raises msgspec.DecodeError or UnicodeDecodeError if it can't be read."""

    def connection_made(self) -> None:
        """Begin a new stream; the state is fetched beside it."""
        self._is_live = self._sampling = False
        self._fetcher.restart()

    def data_to_send(self) -> bytes:
        """Send nothing."""
        return b""

    def next_due_ms(self) -> int | None:
        """Tell when the list of events is looked at again, Unix milliseconds; None while an answer is awaited."""
        return self._fetcher.due_ms()

    def request_verification(self) -> None:
        """Fetch the state of every known event again."""
        self._sampling = self._is_live
        self._fetcher.refetch()

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Take an answer; see `feeds.feed.Poller`."""
        self._fetcher.response_received()
        what = f"answer for {response.request.name} {response.request.key}".strip()
        if not response.ok:
            return [reject_response(response, what)]
        events: list[CodecEvent] = []
        try:
            self._decode_response(response, events)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [*events, Rejected(what, str(error), excerpt(response.body))]
        if self._fetcher.is_complete:
            self._sampling = False
            if not self._is_live:
                self._is_live = True
                live = SourceStatus("live", "snapshot and stream are together")
                events += [UpdateBatch(source, None, [live]) for source in self._sources()]
        return events

    def _snapshot_events(self, batches: list[UpdateBatch]) -> list[CodecEvent]:
        """Hand on the state of some events, as a sample if it was asked for as one."""
        if self._sampling:
            return [VerificationSnapshot(batches, self._fetcher.is_complete)]
        return [batch for batch in batches if batch.updates]
