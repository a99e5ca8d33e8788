"""Normalised names and their similarity."""

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
    return name_score(NAMES.normalise(one), NAMES.normalise(other))


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
def test_spellings_of_the_same_name(one: str, other: str) -> None:
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
def test_different_names(one: str, other: str) -> None:
    assert score(one, other) < 0.8


@given(TEAMS, TEAMS)
def test_similarity_is_symmetric(one: str, other: str) -> None:
    assert score(one, other) == pytest.approx(score(other, one))


@given(st.text(max_size=30))
def test_any_text_equals_itself(text: str) -> None:
    name = NAMES.normalise(text)
    assert name_score(name, name) == 1.0


@given(TEAMS, TEAMS)
def test_reversed_participants_are_detected(home: str, away: str) -> None:
    one, other = NAMES.normalise(home), NAMES.normalise(away)
    straight, reverse = event_score((one, other), (one, other)), event_score((one, other), (other, one))
    assert not straight.swapped
    assert 1.0 == pytest.approx(straight.score)
    assert 1.0 == pytest.approx(reverse.score)
    assert reverse.swapped == (one != other)


def test_the_operators_aliases_apply() -> None:
    names = NameNormaliser({"Olympique Lyonnais": ("OL", "Les Gones")})
    assert names.normalise("les gones") == names.normalise("Olympique Lyonnais")
