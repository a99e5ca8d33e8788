"""Messages are ordered by the provider's clock, which may be set back."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.toolkit.timestamps import CLOCK_SET_MS, is_older, time_ms
from feeds.transports.dates import http_date_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

TIME = st.integers(0, 2**42)
STEP = st.integers(1, CLOCK_SET_MS - 1)


@given(TIME, STEP)
def test_a_message_a_little_earlier_is_older(at_ms: int, step_ms: int) -> None:
    assert is_older(at_ms, at_ms + step_ms)
    assert not is_older(at_ms + step_ms, at_ms)


@given(TIME, st.integers(CLOCK_SET_MS, 2**42))
def test_a_message_far_earlier_is_newer_by_a_clock_that_was_set(at_ms: int, step_ms: int) -> None:
    assert not is_older(at_ms, at_ms + step_ms)


@given(TIME)
def test_a_message_of_the_same_time_is_not_older(at_ms: int) -> None:
    assert not is_older(at_ms, at_ms)


@contextmanager
def machine_zone(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_a_time_without_a_zone_is_utc_in_whatever_zone_the_machine_is(zone: str) -> None:
    with machine_zone(zone):
        written = ("2026-11-24T15:00:00", "2026-11-24T15:00:00Z", "2026-11-24 15:00:00", "2026-11-24T17:00:00+02:00")
        assert {1_795_532_400_000} == {time_ms(text) for text in written}
        dates = ("Tue, 24 Nov 2026 15:00:00 GMT", "Tue, 24 Nov 2026 15:00:00 -0000", "Tuesday, 24-Nov-26 15:00:00 GMT")
        assert {1_795_532_400_000} == {http_date_ms(text) for text in dates}


@pytest.mark.parametrize(
    "written", ["soon", "", None, 5, "1970-01-01T00:00:00Z", "0001-01-01T00:00:00", "9999-12-31", "2026-13-01T00:00:00Z"]
)
def test_what_is_no_time_is_none_and_not_1970(written: object) -> None:
    assert time_ms(written) is None


@pytest.mark.parametrize("written", ["soon", "", None, "Tue, 99 Nov 2026 15:00:00 GMT", "0"])
def test_what_is_no_date_of_http_is_none(written: str | None) -> None:
    assert http_date_ms(written) is None
