"""Rules: which markets they match, what they set, and when they are resolved again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.feed import installed_feeds
from oddsengine.domain.feed_updates import EventUpdate, MarketUpdate
from oddsengine.domain.ids import MarketId
from oddsengine.engine.explain import explain
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile, resolve
from oddsengine.pricing.profiles.rules import MarketContext, Rule, brackets, minutes_until_next_bracket
from oddsengine.runtime.settings import ConfigError, parse_settings
from tests.support.builders import a_batch, a_definition, a_quote, an_event, live

HERE = MarketContext("football", "cup", "top", "match_odds", "ft", "betfair", False, 30.0, "The Cup")


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ({}, True),
        ({"sport": "football"}, True),
        ({"sport": ("tennis", "football")}, True),
        ({"sport": "tennis"}, False),
        ({"competition": "league"}, False),
        ({"competition": ("league", "The Cup")}, True),
        ({"tier": ("top", "second")}, True),
        ({"tier": "second"}, False),
        ({"type": "total"}, False),
        ({"period": "h1"}, False),
        ({"source": ("other",)}, False),
        ({"in_play": True}, False),
        ({"in_play": False, "sport": "football", "type": "match_odds"}, True),
        ({"sport": "football", "type": "total"}, False),
        ({"starts_within_min": 30}, True),
        ({"starts_within_min": 29}, False),
        ({"starts_after_min": 30}, False),
        ({"starts_after_min": 29}, True),
    ],
)
def test_a_rule_matches_if_all_its_conditions_hold(match: dict[str, Any], holds: bool) -> None:
    assert holds == Rule(book_sum=1.1, **match).matches(HERE)


@pytest.mark.parametrize("source", ["odds", "odds.bet", ("x", "odds")])
def test_a_feeds_name_means_all_of_its_bookmakers(source: Any) -> None:
    rule = Rule(suspend=True, source=source)
    assert rule.matches(HERE._replace(source="odds.bet"))
    assert not rule.matches(HERE._replace(source="odd"))


def test_a_market_without_a_start_matches_no_time_limit() -> None:
    somewhere = HERE._replace(minutes_to_start=None)
    assert not Rule(book_sum=1.1, starts_within_min=60).matches(somewhere)
    assert not Rule(book_sum=1.1, starts_after_min=0).matches(somewhere)


def test_later_rules_override_earlier_ones() -> None:
    rules = (
        Rule(book_sum=1.1, min_size=10.0, _place="a:1"),
        Rule(sport="tennis", book_sum=1.5, _place="a:2"),
        Rule(book_sum=1.2, ladder="traditional", max_spread=0.1, _place="a:3"),
    )
    settings, places = resolve(Profile(rules=rules), HERE)
    limits = settings.exchange
    assert (1.2, "traditional", 10.0, 0.1) == (
        settings.book_sum,
        settings.ladder,
        limits.min_size,
        limits.max_spread,
    )
    assert ("a:1", "a:3") == places


@given(st.lists(st.floats(0, 200), max_size=5), st.floats(-100, 400), st.floats(0, 100))
def test_nothing_changes_before_the_next_bracket(edges: list[float], minutes: float, later: float) -> None:
    rules = [Rule(book_sum=1.1, starts_within_min=edge) for edge in edges]
    wait = minutes_until_next_bracket(brackets(rules), minutes)
    now = HERE._replace(minutes_to_start=minutes)
    if later < wait:
        then = HERE._replace(minutes_to_start=minutes - later)
        assert [rule.matches(now) for rule in rules] == [rule.matches(then) for rule in rules]


ADAPTERS = {name: plugin.config_type for name, plugin in installed_feeds().items()}
RULES = """
[profiles.default]
book_sum = 1.05

[[profiles.default.rules]]
in_play = true
book_sum = 1.25

[[profiles.default.rules]]
starts_within_min = 10
book_sum = 1.0
"""


def test_a_rule_knows_its_file_and_line() -> None:
    profile = parse_settings(RULES, "somewhere/odds.toml", ADAPTERS).profiles["default"]
    assert ["odds.toml:5", "odds.toml:9"] == [rule.place for rule in profile.rules]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("book_sun = 1.1", "odds.toml:7: profiles.default.rules.0.book_sun: unknown key"),
        ("type = 'totals'", "odds.toml:7: profiles.default.rules.0.type: "),
        ("book_sum = 0.9", "odds.toml:7: profiles.default.rules.0.book_sum: Expected a number >= 1.0"),
        ("sport = 'x'", "odds.toml:6: profiles.default.rules.0: the rule sets nothing; it can set devig, source_overround"),
        ("_place = 'x'", "odds.toml:7: profiles.default.rules.0._place: unknown key"),
        ("ladder = 'x'", "odds.toml:7: profiles.default.rules.0.ladder: unknown ladder 'x'"),
        ("min_odds = 2000.0", "odds.toml:2: profiles.default: min_odds 2000 is not under max_odds 1000"),
    ],
)
def test_an_invalid_rule_is_reported_with_its_line(rule: str, problem: str) -> None:
    text = f"\n[profiles.default]\nbook_sum = 1.05\n\n\n[[profiles.default.rules]]\n{rule}\n"
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, "odds.toml", ADAPTERS)
    assert str(caught.value.problems[0]).startswith(problem)


def test_rules_are_resolved_again_in_play_and_as_time_passes() -> None:
    """Once each time, and the explanation names the rule that applied."""
    profiles = parse_settings(RULES, "odds.toml", ADAPTERS).profiles
    pipeline = Pipeline(Pricer(profiles), ("src",))
    pipeline.receive(live(), 1)
    start_ms = 100 * 60_000
    definition = a_definition()
    updates = [
        EventUpdate(an_event(start_ms=start_ms)),
        MarketUpdate("1.1", True, definition, [a_quote("home", 2.0), a_quote("away", 2.0)]),
    ]
    pipeline.receive(a_batch(*updates), 1)

    def price(now_ms: int) -> tuple[int, int | None, list[str]]:
        pipeline.tick(now_ms)
        pipeline.flush(0, now_ms)
        pipeline.offers[0].commit(now_ms)
        record = pipeline.offers[0].markets[MarketId("e1/match_odds")]
        explanation = explain(pipeline, MarketId("e1/match_odds"), now_ms)
        assert explanation is not None
        shown = explanation["selections"]["home"]["profiles"]["default"]
        published = record.selections["home"].prices[0]
        assert published is not None
        assert published / 1000 == shown["price"] == shown["steps"][-1]["odds"]
        return record.v, published, shown["rule"]

    assert (1, 1900, ["profiles.default"]) == price(now_ms=0)
    assert (1, 1900, ["profiles.default"]) == price(start_ms - 10 * 60_000 - 1)
    assert (2, 2000, ["profiles.default", "odds.toml:9"]) == price(start_ms - 10 * 60_000)
    assert (2, 2000, ["profiles.default", "odds.toml:9"]) == price(start_ms - 5 * 60_000)
    in_play = msgspec.structs.replace(definition, in_play=True)
    pipeline.receive(a_batch(MarketUpdate("1.1", definition=in_play)), 1)
    assert (3, 2000, ["profiles.default", "odds.toml:5", "odds.toml:9"]) == price(start_ms)


def test_a_rule_can_match_one_source() -> None:
    pricer = Pricer({"default": Profile(rules=(Rule(source="second", book_sum=1.25),))})
    pipeline = Pipeline(pricer, ("first", "second"))
    books = [a_quote("home", 2.0), a_quote("away", 2.0)]
    pipeline.receive(a_batch(EventUpdate(an_event()), MarketUpdate("1.1", True, a_definition(), books), source="second"), 1)
    pipeline.receive(live("second"), 1)
    pipeline.flush(0, 0)
    market = pipeline.offers[0].markets[MarketId("e1/match_odds")]
    assert (1600,) == market.selections["home"].prices
