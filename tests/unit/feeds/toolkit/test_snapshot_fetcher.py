"""The snapshot that a stream continues: listed, fetched in chunks, and listed again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.toolkit.snapshot_fetcher import FetchChunk, ListPage, SnapshotFetcher

KEYS = st.lists(st.text("abcdefgh", min_size=1, max_size=2), unique=True, max_size=12)


@given(KEYS, st.integers(1, 5))
def test_every_listed_key_is_fetched_once(keys: list[str], chunk: int) -> None:
    fetcher = SnapshotFetcher(chunk, 1000)
    assert ListPage(1) == fetcher.next_step(0)
    assert fetcher.next_step(0) is None, "one request at a time"
    fetcher.response_received()
    fetcher.add_page(keys, more=False, now_ms=0)
    fetched: list[str] = []
    while isinstance(wanted := fetcher.next_step(0), FetchChunk):
        assert len(wanted.keys) <= chunk
        fetcher.response_received()
        fetcher.mark_fetched(wanted.keys)
        fetched += wanted.keys
    assert sorted(keys) == sorted(fetched)
    assert fetcher.is_complete
    assert fetcher.next_step(999) is None
    assert ListPage(1) == fetcher.next_step(1000)


def test_a_failed_request_is_made_again() -> None:
    fetcher = SnapshotFetcher(2, 1000)
    fetcher.next_step(0)
    fetcher.response_received()
    assert ListPage(1) == fetcher.next_step(0)


@given(KEYS, KEYS)
def test_a_new_list_removes_missing_keys_and_fetches_new_ones(before: list[str], after: list[str]) -> None:
    fetcher = SnapshotFetcher(100, 0)
    fetcher.add_page(before, more=False, now_ms=0)
    fetcher.mark_fetched(before)
    fetcher.relist()
    half = len(after) // 2
    assert set() == fetcher.add_page(after[:half], more=True, now_ms=0)
    assert ListPage(2) == fetcher.next_step(0)
    fetcher.response_received()
    assert set(before) - set(after) == fetcher.add_page(after[half:], more=False, now_ms=0)
    wanted = fetcher.next_step(0)
    assert set(after) - set(before) == set(wanted.keys if isinstance(wanted, FetchChunk) else ())


def test_a_new_connection_fetches_everything_again() -> None:
    fetcher = SnapshotFetcher(100, 1000)
    fetcher.add_page(["a"], more=False, now_ms=0)
    fetcher.mark_fetched(["a"])
    fetcher.restart()
    assert not fetcher.is_complete
    assert set() == fetcher.ready
