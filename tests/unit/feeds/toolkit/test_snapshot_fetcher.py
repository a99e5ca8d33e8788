"""The state that a stream continues: listed, fetched in chunks, looked at again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.toolkit.snapshot_fetcher import Chunk, Listing, SnapshotFetcher

KEYS = st.lists(st.text("abcdefgh", min_size=1, max_size=2), unique=True, max_size=12)


@given(KEYS, st.integers(1, 5))
def test_everything_listed_is_fetched_once_and_then_it_is_complete(keys: list[str], chunk: int) -> None:
    prefetch = SnapshotFetcher(chunk, 1000)
    assert Listing(1) == prefetch.next(0)
    assert prefetch.next(0) is None, "one question at a time"
    prefetch.answered()
    prefetch.listed(keys, more=False, now_ms=0)
    fetched: list[str] = []
    while isinstance(wanted := prefetch.next(0), Chunk):
        assert len(wanted.keys) <= chunk
        prefetch.answered()
        prefetch.fetched(wanted.keys)
        fetched += wanted.keys
    assert sorted(keys) == sorted(fetched)
    assert prefetch.is_complete
    assert prefetch.next(999) is None
    assert Listing(1) == prefetch.next(1000)


def test_a_question_that_failed_is_asked_again() -> None:
    prefetch = SnapshotFetcher(2, 1000)
    prefetch.next(0)
    prefetch.answered()
    assert Listing(1) == prefetch.next(0)


@given(KEYS, KEYS)
def test_what_is_on_the_list_no_more_is_gone_and_what_is_new_is_fetched(before: list[str], after: list[str]) -> None:
    prefetch = SnapshotFetcher(100, 0)
    prefetch.listed(before, more=False, now_ms=0)
    prefetch.fetched(before)
    prefetch.relist()
    half = len(after) // 2
    assert set() == prefetch.listed(after[:half], more=True, now_ms=0)
    assert Listing(2) == prefetch.next(0)
    prefetch.answered()
    assert set(before) - set(after) == prefetch.listed(after[half:], more=False, now_ms=0)
    wanted = prefetch.next(0)
    assert set(after) - set(before) == set(wanted.keys if isinstance(wanted, Chunk) else ())


def test_a_new_connection_fetches_everything_again() -> None:
    prefetch = SnapshotFetcher(100, 1000)
    prefetch.listed(["a"], more=False, now_ms=0)
    prefetch.fetched(["a"])
    prefetch.restart()
    assert not prefetch.is_complete
    assert set() == prefetch.ready
