"""Plays a recording's packets through the feed's own codec: the same bytes at the same times give the same updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feeds.feed import Rejected, VerificationSnapshot
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from feeds.feed import CodecEvent, Feed
    from feeds.recording.packet import Packet


class Player:
    """Plays one feed's packets, as `feeds.supervision.supervisor` took them when they came.

    Args:
        feed: its codec, without connections.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def play(self, packet: Packet) -> tuple[list[UpdateBatch], list[Rejected]]:
        """Give what a packet makes the feed say, and what of it can't be read."""
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
        return [kept for batch in batches if (kept := _without_claims(batch)).updates], rejected

    def _events(self, packet: Packet) -> list[CodecEvent]:
        codec, poller, ticker = self._feed.codec, self._feed.poller, self._feed.ticker
        if packet.kind == "opened":
            codec.connection_made()
        elif packet.kind == "afresh":
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
    """Leave out what a codec claims of its source: what the supervisor made of that stands in the recording."""
    if not any(isinstance(update, SourceStatus) for update in batch.updates):
        return batch
    updates = [update for update in batch.updates if not isinstance(update, SourceStatus)]
    return UpdateBatch(batch.source, batch.published_ms, [*updates])
