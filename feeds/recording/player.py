"""Plays recorded packets through a feed's codec: the same inputs produce the same updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feeds.feed import Rejected, VerificationSnapshot
from feeds.inspection import UpdateInspector
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from feeds.feed import CodecEvent, Feed
    from feeds.recording.packet import Packet


class Player:
    """Plays the packets of one feed, in the order in which `feeds.supervision` recorded them.

    Args:
        feed: the feed, as `feeds.feed.FeedPlugin.offline` builds it.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._inspector = UpdateInspector()

    def play(self, packet: Packet) -> tuple[list[UpdateBatch], list[Rejected]]:
        """Return the updates that a packet causes, and what was rejected."""
        if packet.kind == "status" and packet.health is not None:
            status = SourceStatus(packet.health, packet.text or "")
            return [UpdateBatch(source, None, [status]) for source in self._feed.sources], []
        batches: list[UpdateBatch] = []
        rejected: list[Rejected] = []
        for event in self._events(packet):
            if isinstance(event, UpdateBatch):
                batches.append(event)
            elif isinstance(event, VerificationSnapshot):
                batches += event.batches
            elif isinstance(event, Rejected):
                rejected.append(event)
        usable: list[UpdateBatch] = []
        for batch in batches:
            inspected, refused = self._inspector.inspect(_without_claims(batch))
            rejected += refused
            if inspected.updates:
                usable.append(inspected)
        return usable, rejected

    def _events(self, packet: Packet) -> list[CodecEvent]:
        codec, poller, ticker = self._feed.codec, self._feed.poller, self._feed.ticker
        if packet.kind == "opened":
            codec.connection_made()
        elif packet.kind in {"reset", "afresh"}:
            codec.reset()
        elif packet.kind == "sample" and self._feed.verifier is not None:
            self._feed.verifier.request_verification()
        elif packet.kind == "data":
            events = codec.receive_data(packet.body)
            codec.data_to_send()
            return events
        elif packet.kind == "asked" and poller is not None:
            poller.next_request(packet.at_ms)
        elif packet.kind == "response" and poller is not None:
            events = poller.receive_response(packet.response)
            codec.data_to_send()
            return events
        elif packet.kind == "time" and ticker is not None:
            return ticker.tick(packet.at_ms)
        return []


def _without_claims(batch: UpdateBatch) -> UpdateBatch:
    """Remove what the codec claims about its health: the recording contains what the supervisor decided on it."""
    if not any(isinstance(update, SourceStatus) for update in batch.updates):
        return batch
    updates = [update for update in batch.updates if not isinstance(update, SourceStatus)]
    return UpdateBatch(batch.source, batch.published_ms, [*updates])
