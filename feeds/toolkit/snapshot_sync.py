"""The part of a codec that fetches a snapshot over HTTP while the stream that continues it is already open.

The feed is live once everything listed has been fetched on this connection, and the messages that the stream sent meanwhile have
been applied after it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Final

import msgspec

from feeds.feed import CodecEvent, Unreadable, VerificationSnapshot
from feeds.toolkit.responses import reject_response
from feeds.toolkit.snapshot_fetcher import SnapshotFetcher
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feeds.transports.http import Response

#: How long a list of events is valid, in milliseconds.
_REFRESH_MS: Final = 60_000


class SyncState(Enum):
    """Whether snapshot and stream are in sync."""

    #: what is listed has not all been fetched on this connection
    SYNCING = "syncing"
    LIVE = "live"
    #: in sync, and everything is being fetched again
    VERIFYING = "verifying"


class SnapshotSync(ABC):
    """Requests the list of events and the state of each event, and reports when snapshot and stream are in sync.

    Args:
        chunk: the maximum number of events in a request.
    """

    def __init__(self, chunk: int) -> None:
        self._fetcher = SnapshotFetcher(chunk, _REFRESH_MS)
        self._state = SyncState.SYNCING

    @property
    def _is_live(self) -> bool:
        """Whether snapshot and stream are in sync."""
        return self._state is not SyncState.SYNCING

    @abstractmethod
    def _sources(self) -> Iterable[str]:
        """Return the sources that become live together."""

    @abstractmethod
    def _decode_response(self, response: Response, events: list[CodecEvent]) -> None:
        """Append the events of a successful response. Raises msgspec.DecodeError or UnicodeDecodeError if it can't be decoded."""

    def connection_made(self) -> None:
        """Begin a new stream. The snapshot is fetched beside it."""
        self._state = SyncState.SYNCING
        self._fetcher.restart()

    def data_to_send(self) -> bytes:
        """Return nothing to send."""
        return b""

    def next_due_ms(self) -> int | None:
        """Return when the list of events is due again, Unix milliseconds. None while a response is awaited."""
        return self._fetcher.due_ms()

    def request_verification(self) -> None:
        """Schedule fetching the state of every known event again."""
        if self._state is SyncState.LIVE:
            self._state = SyncState.VERIFYING
        self._fetcher.refetch()

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Decode a response (see `feeds.feed.Poller`)."""
        self._fetcher.response_received()
        what = f"response for {response.request.name} {response.request.key}".strip()
        if not response.ok:
            return [reject_response(response, what)]
        events: list[CodecEvent] = []
        try:
            self._decode_response(response, events)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [*events, Unreadable(what, str(error), excerpt(response.body))]
        if self._fetcher.is_complete:
            was, self._state = self._state, SyncState.LIVE
            if was is SyncState.SYNCING:
                live = SourceStatus("live", "snapshot and stream are in sync")
                events += [UpdateBatch(source, None, [live]) for source in self._sources()]
        return events

    def _snapshot_events(self, batches: list[UpdateBatch]) -> list[CodecEvent]:
        """Return the state of some events: as part of a verification snapshot if one was requested, else as updates."""
        if self._state is SyncState.VERIFYING:
            return [VerificationSnapshot(batches, self._fetcher.is_complete)]
        return [batch for batch in batches if batch.updates]
