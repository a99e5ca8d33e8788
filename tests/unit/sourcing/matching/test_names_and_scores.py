"""How providers write names, and how alike two of them are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.sourcing.matching.names import NameNormaliser
from oddsengine.sourcing.matching.score import event_score, name_score

NAMES = NameNormaliser()
TEAMS = st.sampled_from(
    ["Arsenal", "Man Utd", "Manchester City", "1. FC Köln", "Leeds", "Sheffield Wednesday", "QPR", "N. Djokovic"]
)


def score(one: str, other: str) -> float:
    return name_score(NAMES.read(one), NAMES.read(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nott'm Forest", "NOTTINGHAM FOREST FC"),
        ("Man Utd", "Manchester United"),
        ("Wolves", "Wolverhampton Wanderers"),
        ("QPR", "Queens Park Rangers"),
        ("Leeds", "Leeds United"),
        ("FC Bayern München", "Bayern Munich"),
        ("Brighton & Hove Albion", "Brighton"),
        ("Malmö FF", "Malmo"),
        ("Novak Djokovic", "Djokovic N."),
        ("Arsenal Women", "Arsenal (W)"),
        ("England U21", "England Under 21"),
    ],
)
def test_spellings_of_one_name(one: str, other: str) -> None:
    assert score(one, other) >= 0.85


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Manchester United", "Manchester City"),
        ("Sheffield United", "Sheffield Wednesday"),
        ("Arsenal", "Arsenal Women"),
        ("England U21", "England U19"),
        ("Real Madrid", "Atletico Madrid"),
        ("Newcastle United", "Leeds United"),
        ("Bristol City", "Bristol Rovers"),
        ("Barcelona", "Barcelona B"),
    ],
)
def test_names_of_two(one: str, other: str) -> None:
    assert score(one, other) < 0.8


@given(TEAMS, TEAMS)
def test_likeness_has_no_direction(one: str, other: str) -> None:
    assert score(one, other) == pytest.approx(score(other, one))


@given(st.text(max_size=30))
def test_any_text_is_like_itself_and_breaks_nothing(text: str) -> None:
    name = NAMES.read(text)
    assert name_score(name, name) == (1.0)


@given(TEAMS, TEAMS)
def test_home_and_away_turned_round_are_noticed(home: str, away: str) -> None:
    one, other = NAMES.read(home), NAMES.read(away)
    straight, turned = event_score((one, other), (one, other)), event_score((one, other), (other, one))
    assert not straight.swapped
    assert 1.0 == pytest.approx(straight.score)
    assert 1.0 == pytest.approx(turned.score)
    assert turned.swapped == (one != other)


def test_an_operators_aliases_come_first() -> None:
    names = NameNormaliser({"Olympique Lyonnais": ("OL", "Les Gones")})
    assert names.read("les gones") == names.read("Olympique Lyonnais")
