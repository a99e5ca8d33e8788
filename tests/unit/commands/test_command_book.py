"""Which commands hold for a market, and what they say together."""

from __future__ import annotations

from typing import Any

import pytest

from oddsengine.commands.command_book import CommandBook
from oddsengine.commands.ruling import Ruling
from oddsengine.domain.changes import EventDescription
from oddsengine.domain.events import Competition
from tests.support.builders import a_command, a_definition

FOOTBALL = EventDescription("football", Competition("cup", "Cup"), "E1", (), None)
PROFILES = ("default", "gold")


def ruling(*commands: Any, now_ms: int = 50, in_play: bool = False, **definition: Any) -> Ruling | None:
    book = CommandBook(PROFILES)
    for command in commands:
        book.put(command)
    return book.ruling(a_definition(**definition), FOOTBALL, now_ms, in_play=in_play)


def limits(found: Ruling | None) -> list[float | None]:
    return [] if found is None else [terms.limit for terms in found.terms]


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        ({"all": True}, True),
        ({"sport": "football"}, True),
        ({"sport": "tennis"}, False),
        ({"competition": "cup"}, True),
        ({"competition": "league"}, False),
        ({"event": "e1"}, True),
        ({"event": "e2"}, False),
        ({"market": "e1/match_odds"}, True),
        ({"market": "e1/total"}, False),
        ({"event": "e1", "types": ("moneyline",)}, True),
        ({"event": "e1", "types": ("total",)}, False),
        ({"event": "e1", "in_play": False}, True),
        ({"event": "e1", "in_play": True}, False),
        ({"event": "e1", "profiles": ("platinum",)}, False),
    ],
)
def test_a_command_holds_for_the_markets_of_its_scope(scope: dict[str, Any], holds: bool) -> None:
    assert holds == (ruling(a_command("suspend", **scope)) is not None)


def test_a_market_suspended_in_each_profile_is_suspended() -> None:
    by_profile = [a_command("suspend", key=name, event="e1", profiles=(name,)) for name in PROFILES]
    found = ruling(*by_profile)
    assert found == Ruling(suspended=True)


def test_a_suspension_holds_whatever_is_newer_or_narrower() -> None:
    found = ruling(a_command("suspend", all=True, at_ms=1), a_command("limit", key="c2", market="e1/match_odds", values=3.0))
    assert found is not None
    assert found.suspended


def test_the_newest_value_holds() -> None:
    narrow = a_command("limit", key="a", market="e1/match_odds", values=10.0, at_ms=1)
    wide = a_command("limit", key="b", all=True, values=20.0, at_ms=2)
    assert [20.0, 20.0] == limits(ruling(narrow, wide)) == limits(ruling(wide, narrow))


def test_the_narrowest_of_the_same_time_holds() -> None:
    wide = a_command("limit", key="b", event="e1", values=20.0)
    narrowed = a_command("limit", key="a", event="e1", profiles=("gold",), values=30.0)
    assert [20.0, 30.0] == limits(ruling(narrowed, wide)) == limits(ruling(wide, narrowed))


def test_a_command_ends_at_its_expiry_at_the_kick_off_and_when_lifted() -> None:
    assert ruling(a_command("suspend", event="e1", expires_ms=50)) is None
    assert ruling(a_command("suspend", event="e1", expires_ms=51)) is not None
    assert ruling(a_command("suspend", event="e1", until_kick_off=True), in_play=True) is None
    assert ruling(a_command("suspend", event="e1", until_kick_off=True)) is not None
    assert ruling(a_command("suspend", event="e1"), a_command("suspend", event="e1", lifted_ms=20)) is None


def test_a_proposal_holds_once_it_is_confirmed() -> None:
    assert ruling(a_command("suspend", event="e1", is_proposal=True)) is None
    assert ruling(a_command("suspend", event="e1", is_proposal=True, confirmed_by="b", confirmed_ms=20)) is not None


def test_an_expiry_changes_the_ruling_at_its_time() -> None:
    book = CommandBook(PROFILES)
    book.put(a_command("limit", key="a", event="e1", values=1.0))
    book.put(a_command("limit", key="b", event="e1", values=2.0, at_ms=20, expires_ms=60))
    definition = a_definition()
    found = [limits(book.ruling(definition, FOOTBALL, now_ms, in_play=False)) for now_ms in (59, 60)]
    assert [[2.0, 2.0], [1.0, 1.0]] == found
    assert ["b"] == [each.id for each in book.expire(60)]
    assert [] == book.expire(61)
