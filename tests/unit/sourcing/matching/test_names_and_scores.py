"""Normalised names and their similarity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.sourcing.matching.names import NameNormaliser, NameScore, name_score
from oddsengine.sourcing.matching.names.nicknames import known_names

NAMES = NameNormaliser()
TEAMS = st.sampled_from(
    [
        "Arsenal",
        "Man Utd",
        "Washington",
        "Washington State",
        "Rubin Kazan",
        "Рубин",
        "Manchester City",
        "1. FC Köln",
        "Leeds",
        "Sheffield Wednesday",
        "QPR",
        "N. Djokovic",
    ]
)


def score(one: str, other: str) -> NameScore:
    return name_score(NAMES.normalise(one), NAMES.normalise(other))


def marks(text: str) -> set[str]:
    return set(NAMES.normalise(text).marks)


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
        ("Blackburn R.", "Blackburn Rovers"),
        ("Blackburn R", "Blackburn Rovers"),
        ("Washington State Cougars", "Washington St"),
        ("NC State", "North Carolina State"),
        ("Miami (OH)", "Miami (OH) RedHawks"),
        ("River Plate (ARG)", "River Plate"),
        ("Рубин Казань", "Rubin Kazan"),
        ("Химки", "Khimki"),
        ("Ατρόμητος", "Atromitos"),
        ("الفتح", "Al Fateh"),
        ("강원", "Gangwon"),
    ],
)
def test_spellings_of_the_same_name(one: str, other: str) -> None:
    scored = score(one, other)
    assert ("match", True) == (scored.limit, scored.score >= 0.85), scored


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Manchester United", "Manchester City"),
        ("Sheffield United", "Sheffield Wednesday"),
        ("Real Madrid", "Atletico Madrid"),
        ("Newcastle United", "Leeds United"),
        ("Bristol City", "Bristol Rovers"),
        ("Washington", "Washington State"),
        ("Carolina", "South Carolina"),
        ("Sydney FC", "Western Sydney Wanderers"),
        ("Milan", "Inter Milan"),
        ("Iran", "Iraq"),
        ("Niger", "Nigeria"),
        ("Austria", "Australia"),
        ("Guinea", "Equatorial Guinea"),
        ("Korea DPR", "Korea Republic"),
        ("Miami (FL)", "Miami (OH)"),
        ("Everton (ENG)", "Everton (CHI)"),
        ("Williams S.", "Venus Williams"),
        ("Zverev A.", "Zverev M."),
        ("Спартак", "ЦСКА"),
        ("Зенит", "Динамо"),
        ("", ""),
        ("-", "?"),
        ("TBD", "TBD"),
        ("Winner SF1", "Winner SF1"),
    ],
)
def test_different_names(one: str, other: str) -> None:
    scored = score(one, other)
    assert scored.limit == "non_match" or scored.score < 0.6, scored


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Flamengo (R)", {"reserves"}),
        ("Barcelona B", set()),  # the last letter, which may be an initial
        ("Barcelona (B)", {"reserves"}),
        ("Bayern II", {"reserves"}),
        ("Зенит-2", {"reserves"}),
        ("Arsenal Women", {"women"}),
        ("Arsenal (W)", {"women"}),
        ("Дания (ж)", {"women"}),
        ("日本女子", {"women"}),
        ("England U21", {"youth 21"}),
        ("England Under-21", {"youth 21"}),
        ("Россия (до 19)", {"youth 19"}),
        ("Spain (PEN)", {"penalties"}),
        ("Spain (ET)", {"extra time"}),
        ("Spain (Corners)", {"corners"}),
        ("Spain Corners", {"corners"}),
        ("Liverpool SRL", {"simulated"}),
        ("Liverpool (Hotshot)", {"(hotshot)"}),
        ("Boca Juniors", set()),
        ("River Plate (ARG)", set()),
        ("Djokovic [1]", set()),
    ],
)
def test_marks(text: str, expected: set[str]) -> None:
    assert expected == marks(text)


@given(TEAMS, TEAMS)
def test_similarity_is_symmetric(one: str, other: str) -> None:
    assert score(one, other) == score(other, one)._replace(why=score(one, other).why)


@given(st.text(max_size=30))
def test_any_name_equals_itself_unless_it_names_nobody(text: str) -> None:
    name = NAMES.normalise(text)
    assert (1.0 if name.words else 0.0) == name_score(name, name).score


@given(st.text(max_size=30), st.sampled_from(["", " ", "-", "TBD", "(W)", "U21"]))
def test_a_name_that_names_nobody_equals_no_other(text: str, nobody: str) -> None:
    scored = score(text, nobody)
    assert not NAMES.normalise(nobody).words or nobody in {"(W)", "U21"}
    assert scored.limit == "non_match" or NAMES.normalise(nobody).words


def test_no_name_is_that_of_two_teams() -> None:
    seen: dict[str, str] = {}
    for team, others in known_names("both").items():
        for other in others:
            assert team == seen.setdefault(other.casefold(), team), other


def test_the_operators_aliases_apply() -> None:
    names = NameNormaliser({"Olympique Lyonnais": ("OL", "Les Gones")})
    assert names.normalise("les gones") == names.normalise("Olympique Lyonnais")
