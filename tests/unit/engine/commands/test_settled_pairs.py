"""A person says which events are the same: `match` and `unmatch`."""

from __future__ import annotations

from typing import Any

import pytest

from oddsengine.sourcing.matching.matcher import MatchingSettings
from tests.support.builders import a_command
from tests.support.feeds import Feeds, a_match


def two_feeds(other: str, settings: MatchingSettings | None = None) -> Feeds:
    """Leeds v Fulham at one feed, and a match of another name at the second."""
    feeds = Feeds("b", "p", matching=settings) if settings is not None else Feeds("b", "p")
    home, _, away = other.partition(" v ")
    return feeds.match("b", a_match("b.1", "Leeds", "Fulham")).match("p", a_match("p.9", home, away))


def test_a_pair_is_taken_apart_and_put_together_again() -> None:
    feeds = two_feeds("Leeds v Fulham")
    assert {"b.1"} == feeds.events
    unmatch = a_command("unmatch", event="b.1", values="p.9")
    feeds.pipeline.obey(unmatch)
    assert {"b.1", "p.9"} == feeds.events
    feeds.pipeline.obey(a_command("unmatch", event="b.1", values="p.9", lifted_ms=20))
    assert {"b.1"} == feeds.events


def test_a_pair_of_other_names_is_matched_until_the_command_expires() -> None:
    feeds = two_feeds("Peacocks v Cottagers")
    assert {"b.1", "p.9"} == feeds.events
    feeds.pipeline.obey(a_command("match", event="p.9", values="b.1", expires_ms=5_000))
    assert {"b.1"} == feeds.events
    feeds.now = 5_000
    feeds.pipeline.tick(5_000)
    assert {"b.1", "p.9"} == feeds.events


def test_a_command_holds_for_events_that_come_later_and_the_newest_word_counts() -> None:
    feeds = Feeds("b", "p")
    feeds.pipeline.obey(a_command("match", key="c2", at_ms=20, event="p.9", values="b.1"))
    feeds.pipeline.obey(a_command("unmatch", key="c1", at_ms=10, event="b.1", values="p.9"))
    feeds.match("b", a_match("b.1", "Leeds", "Fulham")).match("p", a_match("p.9", "Peacocks", "Cottagers"))
    assert {"b.1"} == feeds.events


@pytest.mark.parametrize("action", ["match", "unmatch"])
def test_a_person_overrules_the_config(action: str) -> None:
    settings = (
        MatchingSettings(non_matches=(("b.1", "p.9"),)) if action == "match" else MatchingSettings(matches=(("b.1", "p.9"),))
    )
    feeds = two_feeds("Leeds v Fulham", settings)
    feeds.pipeline.obey(a_command(action, event="b.1", values="p.9"))
    assert (1 if action == "match" else 2) == len(feeds.events)


@pytest.mark.parametrize("scope", [{"event": "p.9"}, {"market": "p.9/moneyline"}])
def test_a_suspension_holds_under_the_id_that_its_event_is_matched_to(scope: dict[str, Any]) -> None:
    feeds = Feeds("b", "p").match("p", a_match("p.9", "Leeds", "Fulham"))
    feeds.pipeline.obey(a_command("suspend", **scope))
    feeds.match("b", a_match("b.1", "Leeds", "Fulham"))
    assert {"p.9"} == feeds.events
    assert "trader" == feeds.market("p.9/moneyline")[1]

    feeds = Feeds("b", "p").match("b", a_match("b.1", "Leeds", "Fulham")).match("p", a_match("p.9", "Leeds", "Fulham"))
    assert "open" == feeds.market("b.1/moneyline")[0]
    feeds.pipeline.obey(a_command("suspend", **scope))
    assert "trader" == feeds.market("b.1/moneyline")[1]
    feeds.pipeline.obey(a_command("suspend", **scope, lifted_ms=20))
    assert "open" == feeds.market("b.1/moneyline")[0]


def test_a_price_does_not_hold_under_another_id() -> None:
    """The other feed may have the sides the other way round."""
    feeds = two_feeds("Leeds v Fulham")
    before = feeds.market("b.1/moneyline")
    feeds.pipeline.obey(a_command("price", market="p.9/moneyline", values={"home": 1.5}))
    assert before == feeds.market("b.1/moneyline")
