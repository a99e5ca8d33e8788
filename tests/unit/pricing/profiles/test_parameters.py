"""A rule sets what a profile sets, in the same range."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec
import pytest

from oddsengine.pricing.methods.fair import ExchangeLimits
from oddsengine.pricing.profiles.profile import Profile, refined
from oddsengine.pricing.profiles.rules import EXCHANGE_SETTINGS, PROFILE_SETTINGS, Rule

HINTS = {each: get_type_hints(each, include_extras=True) for each in (Profile, Rule, ExchangeLimits)}
NOT_IN_RULES = {"exchange", "rules", "_own_ladders", "_commanded"}


def test_a_rule_can_set_everything_but_rules() -> None:
    assert {*HINTS[Profile]} - NOT_IN_RULES == {*PROFILE_SETTINGS}
    assert {*HINTS[ExchangeLimits]} == {*EXCHANGE_SETTINGS}


@pytest.mark.parametrize("name", [*PROFILE_SETTINGS, *EXCHANGE_SETTINGS])
def test_a_rule_has_the_range_of_the_profile(name: str) -> None:
    owner = Profile if name in PROFILE_SETTINGS else ExchangeLimits
    assert HINTS[owner][name] | None == HINTS[Rule][name]


VALUES: dict[str, Any] = {
    "devig": "power",
    "source_overround": 1.1,
    "book_sum": 1.2,
    "min_margin": 0.01,
    "method": "shin",
    "ladder": "decimal_3",
    "rounding": "balanced",
    "tolerance": 0.02,
    "min_odds": 1.1,
    "max_odds": 50.0,
    "min_source_overround": 0.99,
    "max_source_overround": 1.2,
    "skew": 1.1,
    "shift": {"home": 0.02},
    "min_move": 0.01,
    "max_move": 0.1,
    "max_age_s": 5.0,
    "jump_limit": 0.2,
    "pool_limit": 0.01,
    "require_complete_book": True,
    "bound_by_exchanges": True,
    "suspend": True,
    "limit": 100.0,
    "bet_delay_s": 3.0,
    "max_spread": 0.1,
    "min_size": 5.0,
    "min_depth": 7.0,
    "last_traded": True,
    "last_traded_max_age_s": 5.0,
    "normalise": "power",
}


@pytest.mark.parametrize("name", [*PROFILE_SETTINGS, *EXCHANGE_SETTINGS])
def test_a_rule_changes_what_it_sets_and_nothing_else(name: str) -> None:
    profile = Profile()
    settings = msgspec.structs.asdict(refined(profile, Rule(**{name: VALUES[name]})))
    before = msgspec.structs.asdict(profile)
    if name in EXCHANGE_SETTINGS:
        settings, before = (msgspec.structs.asdict(each["exchange"]) for each in (settings, before))
    assert {name: VALUES[name]} == {key: value for key, value in settings.items() if value != before[key]}
