"""A codec with a snapshot beside its stream is live once everything listed was fetched on this connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import ProviderRefused
from feeds.feed import Rejected, VerificationSnapshot
from feeds.toolkit.snapshot_fetcher import FetchChunk, ListPage
from feeds.toolkit.snapshot_sync import SnapshotSync
from feeds.transports.http import Request, Response
from oddsengine.domain.feed_updates import MarketUpdate, SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feeds.feed import CodecEvent

KEYS = st.lists(st.text("abcdef", min_size=1, max_size=2), unique=True, max_size=8)


class Codec(SnapshotSync):
    """The smallest codec: a response is a JSON list of keys, and every key is a market."""

    def next_request(self, now_ms: int) -> Request | None:
        step = self._fetcher.next_step(now_ms)
        if isinstance(step, ListPage):
            return Request(name="list", url="/list")
        return Request(name="state", url="/state", key=",".join(step.keys)) if isinstance(step, FetchChunk) else None

    def _sources(self) -> Iterable[str]:
        return ["src"]

    def _decode_response(self, response: Response, events: list[CodecEvent]) -> None:
        keys = msgspec.json.decode(response.body, type=list[str])
        if response.request.name == "list":
            self._fetcher.add_page(keys, more=False, now_ms=response.at_ms)
        else:
            self._fetcher.mark_fetched(keys)
            events += self._snapshot_events([UpdateBatch("src", None, [MarketUpdate(key) for key in keys])])


class Fetched:
    """A codec on a new connection to a provider that lists some keys."""

    def __init__(self, keys: list[str], chunk: int = 3) -> None:
        self._keys = keys
        self.codec = Codec(chunk)
        self.codec.connection_made()

    def fetch(self, now_ms: int = 0) -> list[CodecEvent]:
        """Answer every request that is due."""
        events: list[CodecEvent] = []
        while (request := self.codec.next_request(now_ms)) is not None:
            keys = self._keys if request.name == "list" else request.key.split(",")
            events += self.answer(request, 200, msgspec.json.encode(keys), now_ms)
        return events

    def answer(self, request: Request | None, status: int, body: bytes = b"", now_ms: int = 0) -> list[CodecEvent]:
        assert request is not None
        return self.codec.receive_response(Response(request=request, status=status, at_ms=now_ms, body=body))


def markets(events: list[CodecEvent]) -> list[str]:
    batches: list[UpdateBatch] = []
    for event in events:
        batches += event.batches if isinstance(event, VerificationSnapshot) else [event] if isinstance(event, UpdateBatch) else []
    return [update.market for batch in batches for update in batch.updates if isinstance(update, MarketUpdate)]


def is_live(event: CodecEvent) -> bool:
    return isinstance(event, UpdateBatch) and any(isinstance(update, SourceStatus) for update in event.updates)


@given(KEYS, st.integers(1, 4))
def test_it_is_live_once_and_last_of_all(keys: list[str], chunk: int) -> None:
    fetched = Fetched(keys, chunk)
    events = fetched.fetch()
    assert sorted(keys) == sorted(markets(events))
    assert [is_live(event) for event in events] == [False] * (len(events) - 1) + [True]
    assert not any(map(is_live, fetched.fetch(60_000))), "a refreshed list does not make it live again"
    fetched.codec.connection_made()
    assert is_live(fetched.fetch()[-1]), "a new connection does"


@given(KEYS.filter(bool), st.integers(1, 4))
def test_a_verification_fetches_every_key_again_and_marks_its_last_part(keys: list[str], chunk: int) -> None:
    fetched = Fetched(keys, chunk)
    fetched.fetch()
    fetched.codec.request_verification()
    events = fetched.fetch()
    assert sorted(keys) == sorted(markets(events))
    assert [True] == [event.is_last for event in events if isinstance(event, VerificationSnapshot)][-1:]
    assert all(isinstance(event, VerificationSnapshot) for event in events)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(500, b"", Rejected), (401, b"", ProviderRefused), (200, b"{", Rejected), (200, b'["\xff"]', Rejected)],
)
def test_a_failed_response_is_requested_again(status: int, body: bytes, kind: type) -> None:
    fetched = Fetched(["a"])
    request = fetched.codec.next_request(0)
    assert fetched.codec.next_due_ms() is None, "while a response is awaited"
    (event,) = fetched.answer(request, status, body)
    assert isinstance(event, kind)
    assert request == fetched.codec.next_request(0)
