"""Which settings apply to a market, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.ids import MarketId
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.resolver import ProfileResolver
from oddsengine.pricing.profiles.rules import Rule
from tests.support.builders import a_definition, an_event

if TYPE_CHECKING:
    from oddsengine.domain.events import Event

MINUTE_MS = 60_000
START_MS = 1_000 * MINUTE_MS


def a_resolver(*rules: Rule, tiers: dict[str, tuple[str, ...]] | None = None) -> ProfileResolver:
    return ProfileResolver([Profile(rules=rules)], tiers or {})


EDGES = st.lists(st.integers(0, 120), max_size=4)
TIMES = st.lists(st.integers(-60, 200), min_size=1, max_size=8).map(lambda minutes: sorted(minutes, reverse=True))


@given(within=EDGES, after=EDGES, minutes_to_start=TIMES)
def test_a_cached_resolution_is_what_a_new_resolver_finds(
    within: list[int], after: list[int], minutes_to_start: list[int]
) -> None:
    """Law: at every time on the way to the start and beyond."""
    rules = [Rule(book_sum=1.1 + edge / 1000, starts_within_min=edge) for edge in within]
    rules += [Rule(min_move=edge / 1000, starts_after_min=edge) for edge in after]
    definition, event = a_definition(), an_event(start_ms=START_MS)
    cached = a_resolver(*rules)
    for minutes in minutes_to_start:
        now_ms = START_MS - minutes * MINUTE_MS
        assert a_resolver(*rules).resolve("src", definition, event, now_ms) == cached.resolve("src", definition, event, now_ms)


@given(edges=EDGES, minutes=st.integers(-60, 200), later=st.integers(0, 100))
def test_only_a_market_that_is_due_resolves_to_another_object(edges: list[int], minutes: int, later: int) -> None:
    resolver = a_resolver(*(Rule(book_sum=1.1, starts_within_min=edge) for edge in edges))
    definition, event = a_definition(), an_event(start_ms=START_MS)
    now_ms = START_MS - minutes * MINUTE_MS
    resolved = resolver.resolve("src", definition, event, now_ms)
    then_ms = now_ms + later * MINUTE_MS
    if not resolver.due(then_ms):
        assert resolver.resolve("src", definition, event, then_ms) is resolved


def test_markets_in_the_same_context_share_one_object() -> None:
    resolver = a_resolver(Rule(type="total", book_sum=1.2))
    event = an_event()
    first, second, other = (
        resolver.resolve("src", a_definition(market, type=type_), event, 0)
        for market, type_ in (("e1/a", "match_odds"), ("e1/b", "match_odds"), ("e1/c", "total"))
    )
    assert first is second
    assert (1.05, 1.2) == (first[0].settings.book_sum, other[0].settings.book_sum)


@pytest.mark.parametrize(("event", "book_sum"), [(an_event(sport="tennis"), 1.2), (an_event(), 1.05), (None, 1.05)])
def test_another_event_object_is_resolved_again(event: Event | None, book_sum: float) -> None:
    resolver = a_resolver(Rule(sport="tennis", book_sum=1.2))
    definition = a_definition()
    resolver.resolve("src", definition, an_event(), 0)
    assert book_sum == resolver.resolve("src", definition, event, 0)[0].settings.book_sum


@pytest.mark.parametrize(
    ("tiers", "tier"),
    [
        ({}, ""),
        ({"top": ("cup",)}, "top"),
        ({"top": ("Cup",)}, "top"),
        ({"top": ("c*",), "second": ("cup",)}, "top"),
        ({"top": ("league",), "second": ("?up",)}, "second"),
    ],
)
def test_the_first_tier_that_names_a_competition(tiers: dict[str, Any], tier: str) -> None:
    assert tier == a_resolver(tiers=tiers).tier(an_event(competition="cup").competition)


def test_a_forgotten_market_is_not_due() -> None:
    resolver = a_resolver(Rule(book_sum=1.2, starts_within_min=10))
    resolver.resolve("src", a_definition(), an_event(start_ms=START_MS), 0)
    assert [MarketId("e1/match_odds")] == resolver.due(START_MS)
    resolver.forget(MarketId("e1/match_odds"))
    assert [] == resolver.due(START_MS)
