"""What a grant allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.access.grants import Access, Role

CHANNELS = st.builds("{}:{}".format, st.sampled_from(("sport", "event", "market")), st.text("abc/", min_size=1))


@given(channel=CHANNELS)
def test_the_default_grant_is_every_channel(channel: str) -> None:
    assert Access(subject="x").may_subscribe(channel)


@given(channel=CHANNELS, others=st.lists(CHANNELS))
def test_a_channel_is_granted_by_name_whatever_else_is(channel: str, others: list[str]) -> None:
    assert Access(subject="x", channels=(*others, channel)).may_subscribe(channel)
    assert not Access(subject="x", channels=()).may_subscribe(channel)


@pytest.mark.parametrize(
    ("pattern", "channel", "granted"),
    [
        ("sport:foot*", "sport:football", True),
        ("sport:foot*", "sport:tennis", False),
        ("event:*", "market:e1/match_odds", False),
        ("market:e1/*", "market:e1/match_odds", True),
        ("SPORT:*", "sport:football", False),
        ("event:e?", "event:e1", True),
    ],
)
def test_patterns_are_case_sensitive_globs(pattern: str, channel: str, granted: bool) -> None:
    assert granted is Access(subject="x", channels=(pattern,)).may_subscribe(channel)


def test_roles_ascend() -> None:
    assert sorted(Role) == [Role.subscriber, Role.service, Role.trader, Role.admin]
