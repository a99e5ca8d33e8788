"""Vocabulary of the adapters' tests: answers to requests, and the source books that the events of a codec build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from feeds.feed import Rejected, VerificationSnapshot
from feeds.transports.http import Request, Response
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.sourcing.source_book import SourceBook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feeds.adapters.pinnacle import PinnacleCodec
    from feeds.adapters.theoddsapi import TheOddsApiCodec
    from feeds.feed import CodecEvent


def a_response(request: Request | None, body: Any = b"", status: int = 200, at_ms: int = 0, **headers: str) -> Response:
    """Build the answer to a request; a body that is not bytes is encoded as JSON."""
    assert request is not None, "no request is due"
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Response(request=request, status=status, at_ms=at_ms, body=data, headers=named)


def calls_answered_by_error_pages(codec: PinnacleCodec | TheOddsApiCodec, start_ms: int, seconds: int, status: int = 200) -> int:
    """Answer every request with an error page, with a new connection each minute. Return the number of requests."""
    calls = 0
    for second in range(seconds):
        now_ms = start_ms + second * 1_000
        if second % 60 == 0:
            codec.connection_made()
        if (request := codec.next_request(now_ms)) is not None:
            calls += 1
            codec.receive_response(a_response(request, b"<html>oops</html>", status, now_ms))
    return calls


class Received:
    """The events of a codec, with its updates applied to one source book per source."""

    def __init__(self) -> None:
        self.books: dict[str, SourceBook] = {}
        self.rejected: list[Rejected] = []
        self.statuses: list[tuple[str, str]] = []
        self.samples: list[VerificationSnapshot] = []
        self.others: list[Any] = []

    def receive(self, events: Iterable[CodecEvent]) -> Received:
        for event in events:
            if isinstance(event, UpdateBatch):
                self._apply(event)
            elif isinstance(event, VerificationSnapshot):
                self.samples.append(event)
                for batch in event.batches:
                    self._apply(batch)
            elif isinstance(event, Rejected):
                self.rejected.append(event)
            else:
                self.others.append(event)
        return self

    def _apply(self, batch: UpdateBatch) -> None:
        book = self.books.setdefault(batch.source, SourceBook(batch.source))
        for update in batch.updates:
            book.apply(update, 0)
            if isinstance(update, SourceStatus):
                self.statuses.append((batch.source, update.health))

    def quotes(self, source: str) -> dict[str, dict[str, float]]:
        """Return market -> selection -> price of the open markets."""
        return {
            key: {name: book.quote for name, book in market.books.items() if book.quote is not None}
            for key, market in self.books[source].markets.items()
            if market.definition is not None and market.definition.status == "open"
        }

    def status(self, source: str, market: str) -> str:
        definition = self.books[source].markets[market].definition
        assert definition is not None
        return definition.status
