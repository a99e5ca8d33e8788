"""Times are read as RFC 3339 writes them."""

from __future__ import annotations

import pytest

from oddsengine.common.clock import iso_time
from oddsengine.common.times.reading import parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-26", "2026-11-26T00:00:00.000Z"),
        ("2026-11-26T20:00:00", "2026-11-26T20:00:00.000Z"),
        ("2026-11-26t20:00:00.25z", "2026-11-26T20:00:00.250Z"),
        ("2026-11-27T10:00:00+14:00", "2026-11-26T20:00:00.000Z"),
        # A leap second is the second after it, by Unix time; here it is the last of a day in UTC too.
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2016-12-31T15:59:60.5-08:00", "2017-01-01T00:00:00.500Z"),
    ],
)
def test_times_of_rfc_3339_are_read(text: str, expected: str) -> None:
    assert expected == iso_time(parse_time(text), "milliseconds")


@pytest.mark.parametrize(
    "text",
    ["2016-12-31T23:58:60Z", "2016-12-31T23:59:60+01:00", "2016-12-31T23:59:61Z", "2016-12-31T24:00:00Z", "-001-01-01", ""],
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)
