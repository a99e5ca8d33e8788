"""Fetching the state that a stream of changes continues, while the stream is already open, so that there is no gap between.

First the list of what there is, page by page, then each of it, some at a time; the list is looked at again now and then. What
the stream says of something that has not been fetched on this connection must wait until it has. Pure.
"""

from __future__ import annotations

from typing import NamedTuple


class ListPage(NamedTuple):
    """The list is to be asked for, from this page (counted from 1)."""

    page: int


class FetchChunk(NamedTuple):
    """These are to be asked for."""

    keys: list[str]


class SnapshotFetcher:
    """What is known to exist and what of it has been fetched.

    Args:
        chunk: how many are asked for at once.
        refresh_ms: how long a list is good, in milliseconds.
    """

    def __init__(self, chunk: int, refresh_ms: int) -> None:
        self._chunk = chunk
        self._refresh_ms = refresh_ms
        self._page: int | None = 1
        self._listed: set[str] = set()
        self._to_fetch: dict[str, None] = {}
        self._is_asked = False
        self._list_due_ms = 0
        #: all that was on the last whole list, and what of it was fetched on this connection
        self.known: set[str] = set()
        self.ready: set[str] = set()

    @property
    def is_complete(self) -> bool:
        """Whether all that is listed has been fetched."""
        return self._page is None and not self._to_fetch

    def restart(self) -> None:
        """Begin anew with a new connection."""
        self.relist()
        self._to_fetch.clear()
        self.ready.clear()
        self._is_asked = False

    def relist(self) -> None:
        """Ask for the list now."""
        self._page = 1
        self._listed.clear()

    def refetch(self) -> None:
        """Ask for everything again, once more."""
        self._to_fetch.update(dict.fromkeys(sorted(self.known)))
        if not self.known:
            self.relist()

    def next_step(self, now_ms: int) -> ListPage | FetchChunk | None:
        """Say what is to be asked for now; nothing while an answer is awaited."""
        if self._is_asked:
            return None
        if self.is_complete and now_ms >= self._list_due_ms:
            self.relist()
        if self._page is not None:
            self._is_asked = True
            return ListPage(self._page)
        if self._to_fetch:
            self._is_asked = True
            return FetchChunk(list(self._to_fetch)[: self._chunk])
        return None

    def due_ms(self) -> int | None:
        """Tell when there will be something to ask for by itself, Unix milliseconds."""
        return None if self._is_asked else self._list_due_ms if self.is_complete else 0

    def response_received(self) -> None:
        """Note that an answer came, good or bad; a bad one is asked for again."""
        self._is_asked = False

    def add_page(self, keys: list[str], *, more: bool, now_ms: int) -> set[str]:
        """Take a page of the list; gives what is not on it any more when it is whole.

        Args:
            keys: what is on the page.
            more: whether another page follows.
            now_ms: when it came, Unix milliseconds.
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
        """Note that these were fetched."""
        for key in keys:
            self._to_fetch.pop(key, None)
        self.ready.update(keys)
