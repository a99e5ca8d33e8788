"""Plans how to fetch the snapshot that a stream continues, while the stream is already open, so that there is no gap.

First the list of keys is fetched, page by page, then the entries of the listed keys in chunks. The list is refreshed regularly.
Messages of the stream about a key that has not been fetched on this connection must wait until it has. Pure.
"""

from __future__ import annotations

from typing import NamedTuple


class ListPage(NamedTuple):
    """Fetch this page of the list, counted from 1."""

    page: int


class FetchChunk(NamedTuple):
    """Fetch the entries of these keys."""

    keys: list[str]


class SnapshotFetcher:
    """Tracks which keys are listed, and which of them have been fetched.

    Args:
        chunk: the maximum number of keys in a request.
        refresh_ms: how long a list is valid, in milliseconds.

    Attributes:
        known: the keys of the last complete list.
        ready: those of them that were fetched on this connection.
    """

    def __init__(self, chunk: int, refresh_ms: int) -> None:
        self._chunk = chunk
        self._refresh_ms = refresh_ms
        self._page: int | None = 1
        self._listed: set[str] = set()
        self._to_fetch: dict[str, None] = {}
        self._is_awaiting = False
        self._list_due_ms = 0
        self.known: set[str] = set()
        self.ready: set[str] = set()

    @property
    def is_complete(self) -> bool:
        """Whether every listed key has been fetched."""
        return self._page is None and not self._to_fetch

    def restart(self) -> None:
        """Start over, for a new connection."""
        self.relist()
        self._to_fetch.clear()
        self.ready.clear()
        self._is_awaiting = False

    def relist(self) -> None:
        """Make the list due now."""
        self._page = 1
        self._listed.clear()

    def refetch(self) -> None:
        """Make all known keys due again."""
        self._to_fetch.update(dict.fromkeys(sorted(self.known)))
        if not self.known:
            self.relist()

    def next_step(self, now_ms: int) -> ListPage | FetchChunk | None:
        """Return what to fetch now. None while a response is awaited, or if nothing is due."""
        if self._is_awaiting:
            return None
        if self.is_complete and now_ms >= self._list_due_ms:
            self.relist()
        if self._page is not None:
            self._is_awaiting = True
            return ListPage(self._page)
        if self._to_fetch:
            self._is_awaiting = True
            return FetchChunk(list(self._to_fetch)[: self._chunk])
        return None

    def due_ms(self) -> int | None:
        """Return when something will be due, Unix milliseconds. None while a response is awaited."""
        return None if self._is_awaiting else self._list_due_ms if self.is_complete else 0

    def response_received(self) -> None:
        """Record that a response arrived. What it did not contain is due again."""
        self._is_awaiting = False

    def add_page(self, keys: list[str], *, more: bool, now_ms: int) -> set[str]:
        """Add a page of the list. Once the list is complete, return the keys that are no longer on it.

        Args:
            keys: the keys on the page.
            more: whether another page follows.
            now_ms: when it arrived, Unix milliseconds.
        """
        self._listed.update(keys)
        self._to_fetch.update(dict.fromkeys(key for key in keys if key not in self.ready))
        if more:
            self._page = (self._page or 1) + 1
            return set()
        gone = self.known - self._listed
        self.known = set(self._listed)
        self.ready -= gone
        for key in gone:
            self._to_fetch.pop(key, None)
        self._page = None
        self._list_due_ms = now_ms + self._refresh_ms
        return gone

    def mark_fetched(self, keys: list[str]) -> None:
        """Record that the entries of these keys were fetched."""
        for key in keys:
            self._to_fetch.pop(key, None)
        self.ready.update(keys)
