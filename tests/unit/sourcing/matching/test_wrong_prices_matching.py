"""Pairs of events that were taken for one, or for two, and others of their kinds."""

from __future__ import annotations

import json

import msgspec
import pytest
from typer.testing import CliRunner

from oddsengine.cli.app import app
from oddsengine.cli.match import match
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.matcher import Matcher, MatchingSettings

KICK_OFF = 1_795_532_400_000
MINUTE = 60_000


def decision(one: str, other: str, sport: str = "football", minutes: float = 0, competitions: tuple[str, str] = ("", "")) -> str:
    return str(match((one, other), sport, minutes, competitions, MatchingSettings())["decision"])


def an_event(key: str, name: str, *, sport: str = "football", minutes: int = 0, competition: str = "") -> Event:
    sides = tuple(name.split(" v "))
    start_ms = KICK_OFF + minutes * MINUTE
    return Event(
        id=EventId(key), sport=sport, competition=Competition("c", competition), name=name, participants=sides, start_ms=start_ms
    )


@pytest.mark.parametrize(
    ("one", "other", "sport"),
    [
        ("Washington State v Oregon", "Washington v Oregon State", "american_football"),
        ("Washington State Cougars v Oregon Ducks", "Washington v Oregon State", "american_football"),
        ("Michigan v Ohio State", "Michigan State v Ohio", "basketball"),
        ("Duke v North Carolina", "Duke v North Carolina State", "basketball"),
        ("Miami (FL) v Duke", "Miami (OH) v Duke", "basketball"),
        ("Newcastle United v Wellington Phoenix", "Newcastle Jets v Wellington Phoenix", "football"),
        ("Ireland v Wales", "Northern Ireland v Wales", "football"),
        ("Milan v Roma", "Inter Milan v Roma", "football"),
        ("Iran v Japan", "Iraq v Japan", "football"),
        ("Flamengo v Palmeiras", "Flamengo (R) v Palmeiras (R)", "football"),
        ("Flamengo v Palmeiras", "Flamengo R v Palmeiras R", "football"),
        ("Flamengo v Palmeiras", "Flamengo [B] v Palmeiras [B]", "football"),
        ("Flamengo v Palmeiras", "Flamengo II v Palmeiras II", "football"),
        ("Flamengo v Palmeiras", "Flamengo U20 v Palmeiras U20", "football"),
        ("Flamengo U20 v Palmeiras U20", "Flamengo U17 v Palmeiras U17", "football"),
        ("Spain v England", "Spain (W) v England (W)", "football"),
        ("Spain v England", "Spain (PEN) v England (PEN)", "football"),
        ("Spain v England", "Spain (ET) v England (ET)", "football"),
        ("Spain v England", "Spain (Corners) v England (Corners)", "football"),
        ("India v Australia", "India A v Australia A", "cricket"),
        ("Williams S. v Osaka N.", "Venus Williams v Naomi Osaka", "tennis"),
        ("Спартак v Зенит", "ЦСКА v Динамо", "football"),
        ("Шинник v Ротор", "Химки v Оренбург", "football"),
        ("鹿島アントラーズ v 浦和レッズ", "ガンバ大阪 v セレッソ大阪", "football"),
        ("الهلال v النصر", "الاتحاد v الفتح", "football"),
        ("Зенит-2 v Спартак-2", "Зенит v Спартак", "football"),
        ("日本女子 v ドイツ女子", "Japan v Germany", "football"),
        ("TBD v TBD", "TBD v TBD", "football"),
        ("Winner SF1 v Winner SF2", "Winner SF1 v Winner SF2", "football"),
        ("? v ?", "- v !", "football"),
        ("W49 v W50", "W49 v W50", "football"),
        ("Oklahoma State v Texas", "Oklahoma v Texas State", "american_football"),
        ("San Diego State v Fresno", "San Diego v Fresno State", "american_football"),
        ("Ajax v PSV", "Jong Ajax v Jong PSV", "football"),
        ("Arsenal v Chelsea", "Arsenal LFC v Chelsea LFC", "football"),
        ("Arsenal v Chelsea", "Arsenal XI v Chelsea XI", "football"),
        ("Arsenal v Chelsea", "Arsenal 1st Half v Chelsea 1st Half", "football"),
        ("Nacional (URU) v Penarol", "Nacional (PAR) v Penarol", "football"),
        ("Yankees G1 v Red Sox G1", "Yankees G2 v Red Sox G2", "baseball"),
        ("भारत v पाकिस्तान", "Nepal v Bangladesh", "cricket"),
    ],
)
def test_matches_of_others_are_apart(one: str, other: str, sport: str) -> None:
    assert "apart" == decision(one, other, sport)


@pytest.mark.parametrize(
    ("one", "other", "sport"),
    [
        ("Washington State Cougars v Oregon Ducks", "Washington St v Oregon", "american_football"),
        ("NY Yankees v Boston", "Boston Red Sox v New York Yankees", "baseball"),
        ("Спартак Москва v Зенит", "Spartak Moscow v Zenit St Petersburg", "football"),
        ("Рубин Казань v Ахмат Грозный", "Rubin Kazan v Akhmat Grozny", "football"),
        ("Шинник v Ротор", "Shinnik v Rotor", "football"),
        ("Ρεάλ Μαδρίτης v Μπαρτσελόνα", "Real Madrid v Barcelona", "football"),
        ("الهلال v الفتح", "Al Hilal v Al Fateh", "football"),
        ("曼联 v 利物浦", "Manchester United v Liverpool", "football"),
        ("浦和レッズ v 鹿島アントラーズ", "Urawa Reds v Kashima Antlers", "football"),
        ("강원 v 대구", "Gangwon v Daegu", "football"),
        ("Дания (ж) v Швеция (ж)", "Denmark (W) v Sweden (W)", "football"),
        ("Djokovic N. v Alcaraz C.", "Novak Djokovic v Carlos Alcaraz", "tennis"),
    ],
)
def test_the_same_match_in_other_words(one: str, other: str, sport: str) -> None:
    assert "same" == decision(one, other, sport)


@pytest.mark.parametrize(
    ("one", "other", "competitions", "expected"),
    [
        ("Spain v England", "Spain v England", ("Women's World Cup", "Nations League"), "apart"),
        ("Spain v England", "Spain v England", ("Women's World Cup", ""), "doubt"),
        ("Spain v England", "Spain (W) v England (W)", ("Women's World Cup", ""), "same"),
        ("Spain v England", "Spain (W) v England (W)", ("Women's World Cup", "World Cup"), "same"),
        ("Spain v England", "Spain v England", ("UEFA U21 Championship", "Nations League"), "apart"),
        ("Spain v England", "Spain U21 v England U21", ("UEFA U21 Championship", "Euro"), "same"),
        ("Boca v River", "Boca v River", ("Torneo Reserva", "Liga Profesional"), "apart"),
        ("Everton v Liverpool", "Everton v Liverpool", ("England - Premier League", "Chile - Primera"), "apart"),
        ("Everton v Liverpool", "Everton v Liverpool", ("Premier League", "English Premier League"), "same"),
        ("Chelsea v Arsenal", "Chelsea v Arsenal", ("FA WSL", "Premier League"), "apart"),
        ("Chelsea v Arsenal", "Chelsea v Arsenal", ("Premier League 2", "Premier League"), "apart"),
        ("Brazil v Spain", "Brazil v Spain", ("Beach Soccer World Cup", "World Cup"), "apart"),
        ("Brazil v Spain", "Brazil v Spain", ("Esports Battle", "World Cup"), "apart"),
        ("Liverpool v Everton", "Liverpool v Everton", ("Premier League SRL", "Premier League"), "apart"),
    ],
)
def test_the_competition_speaks_too(one: str, other: str, competitions: tuple[str, str], expected: str) -> None:
    assert expected == decision(one, other, competitions=competitions)


@pytest.mark.parametrize("short", ["T20", "T10", "ODI"])
def test_a_competition_may_be_called_by_its_form_alone(short: str) -> None:
    event = "India v Australia"
    assert "apart" == decision(event, event, "cricket", competitions=(short, "Test Series"))


def test_leagues_without_a_team_in_common_are_apart() -> None:
    assert "apart" == decision("Washington v Houston", "Washington v Houston", "american_football", 0, ("NCAAF", "NFL"))
    assert "same" == decision("Washington v Houston", "Washington v Houston", "american_football", 0, ("NFL", "USA - NFL"))


@pytest.mark.parametrize(("minutes", "expected"), [(0, "same"), (20, "same"), (100, "doubt"), (170, "doubt"), (181, "apart")])
def test_a_pair_may_play_twice_on_a_day(minutes: float, expected: str) -> None:
    assert expected == decision("NY Yankees v Boston", "NY Yankees v Boston", "baseball", minutes)


def test_two_alike_matches_at_both_feeds_each_find_their_own() -> None:
    matcher = Matcher(MatchingSettings())
    names = ("Washington State v Oregon", "Washington v Oregon State")
    for key, name in zip(("b.1", "b.2", "p.2", "p.1"), (*names, *reversed(names)), strict=True):
        matcher.place(an_event(key, name, sport="american_football"))
    placed = {key: matcher.placement_of(EventId(key)).event for key in ("p.1", "p.2")}
    assert {"p.1": "b.1", "p.2": "b.2"} == placed
    assert [] == matcher.review_candidates


def test_an_event_that_changes_is_placed_again() -> None:
    matcher = Matcher(MatchingSettings())
    matcher.place(an_event("b.1", "Leeds v Fulham"))
    event = an_event("p.9", "Leeds v Fulham")
    for changed, expected in (
        (event, ("b.1", False)),
        (an_event("p.9", "Fulham v Leeds"), ("b.1", True)),
        (an_event("p.9", "Burnley v Norwich"), ("p.9", False)),
        (event, ("b.1", False)),
        (msgspec.structs.replace(event, start_ms=KICK_OFF + 300 * MINUTE), ("p.9", False)),
        (msgspec.structs.replace(event, sport="rugby_league"), ("p.9", False)),
        (an_event("p.9", "Leeds v Fulham", competition="FA Women's Cup"), ("p.9", False)),
        (event, ("b.1", False)),
    ):
        placement = matcher.place(changed)
        assert expected == (placement.event, placement.swapped), changed


def test_the_command_prints_one_json_line() -> None:
    result = CliRunner().invoke(
        app, ["match", "Spain v England", "Spain (W) v England (W)", "--competitions", "Women's World Cup", ""]
    )
    assert 0 == result.exit_code
    assert "same" == json.loads(result.stdout)["decision"]
    apart = CliRunner().invoke(
        app, ["match", "NY Yankees v Boston", "NY Yankees v Boston", "--sport", "baseball", "--minutes-apart", "100"]
    )
    answer = json.loads(apart.stdout)
    assert "doubt" == answer["decision"]
    assert answer["why"]
