"""Translation of Betfair's definitions into the domain's markets and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feeds.adapters.betfair.markets import DRAW, to_event, to_market
from feeds.adapters.betfair.messages import Definition
from tests.support.builders import betfair_market

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import MarketDefinition


def a_market(*runners: int | tuple[int, float], **definition: Any) -> MarketDefinition:
    converted = msgspec.convert(betfair_market("1.24", *runners, **definition)["marketDefinition"], Definition)
    return to_market("betfair", "1.24", converted)


@pytest.mark.parametrize(
    ("market_type", "runners", "identity", "keys"),
    [
        ("MATCH_ODDS", (1, 2, DRAW), ("betfair.900/match_odds", "match_odds", "ft", None), ["home", "away", "draw"]),
        ("MATCH_ODDS", (1, 2), ("betfair.900/moneyline", "moneyline", "ft", None), ["home", "away"]),
        ("HALF_TIME", (1, 2, DRAW), ("betfair.900/match_odds/h1", "match_odds", "h1", None), ["home", "away", "draw"]),
        ("OVER_UNDER_25", (47972, 47973), ("betfair.900/total/ft/2.5", "total", "ft", 2.5), ["under", "over"]),
        ("OVER_UNDER_105", (1, 2), ("betfair.900/total/ft/10.5", "total", "ft", 10.5), ["under", "over"]),
        ("FIRST_HALF_GOALS_05", (1, 2), ("betfair.900/total/h1/0.5", "total", "h1", 0.5), ["under", "over"]),
        ("BOTH_TEAMS_TO_SCORE", (30246, 110503), ("betfair.900/both_to_score", "both_to_score", "ft", None), ["yes", "no"]),
        ("TEAM_B_1", (1, 2, DRAW), ("betfair.900/handicap/ft/-1", "handicap", "ft", -1.0), ["home", "away", "draw"]),
        ("CORRECT_SCORE", (1, 2), ("betfair.900/correct_score", "correct_score", "ft", None), ["1", "2"]),
        ("DRAW_NO_BET", (1, 2), ("betfair.900/draw_no_bet", "draw_no_bet", "ft", None), ["home", "away"]),
        ("OVER_UNDER_85_CORNR", (1, 2), ("betfair.900/total_corners/ft/8.5", "total", "ft", 8.5), ["under", "over"]),
        ("OVER_UNDER_45_CARDS", (1, 2), ("betfair.900/total_cards/ft/4.5", "total", "ft", 4.5), ["under", "over"]),
        ("SECOND_HALF_GOALS_15", (1, 2), ("betfair.900/total/h2/1.5", "total", "h2", 1.5), ["under", "over"]),
        ("TEAM_B_OVER_UNDER_15", (1, 2), ("betfair.900/away_total/ft/1.5", "away_total", "ft", 1.5), ["under", "over"]),
        ("TEAM_A_WIN_TO_NIL", (1, 2), ("betfair.900/home_win_to_nil", "home_win_to_nil", "ft", None), ["yes", "no"]),
        (
            "CORNER_MATCH_BET",
            (1, DRAW, 2),
            ("betfair.900/match_odds_corners", "match_odds", "ft", None),
            ["home", "draw", "away"],
        ),
        ("RACE_TO_2_GOALS", (1, 2, 3), ("betfair.900/race_to/ft/2", "race_to", "ft", 2.0), ["1", "2", "3"]),
        ("CLEAN_SHEET", (1, 2), ("betfair.900/clean_sheet/1.24", "clean_sheet", "ft", None), ["yes", "no"]),
        ("GAME_BY_GAME_02_03", (1, 2), ("betfair.900/game_winner/1.24", "game_winner", "set2", None), ["home", "away"]),
        ("SOMETHING_NEW", (1, 2), ("betfair.900/other/1.24", "other", None, None), ["1", "2"]),
    ],
)
def test_types_periods_lines_and_roles(
    market_type: str, runners: tuple[int, ...], identity: tuple[object, ...], keys: list[str]
) -> None:
    market = a_market(*runners, marketType=market_type)
    assert identity == (market.id, market.type, market.period, market.line)
    assert keys == [selection.key for selection in market.selections]


@pytest.mark.parametrize(
    ("market_type", "names", "keys"),
    [
        ("DOUBLE_CHANCE", ("Home or Draw", "Draw or Away", "Home or Away"), ["home_draw", "draw_away", "home_away"]),
        ("DOUBLE_CHANCE", ("A or Draw", "A or B", "Draw or B"), ["home_draw", "home_away", "draw_away"]),
        ("HALF_TIME_FULL_TIME", ("A/A", "A/Draw", "B/A"), ["home_home", "home_draw", "away_home"]),
        ("ODD_OR_EVEN", ("Even", "Odd"), ["even", "odd"]),
        ("BOTH_TEAMS_TO_SCORE", ("No", "Yes"), ["no", "yes"]),
        ("NEXT_GOAL", ("B", "A", "No Goal"), ["away", "home", "none"]),
        ("NEXT_GOAL", ("C", "A", "No Goal"), ["1", "2", "3"]),
        ("HALF_WITH_MOST_GOALS", ("1st Half", "2nd Half", "Tie"), ["h1", "h2", "tie"]),
    ],
)
def test_roles_are_read_from_the_names(market_type: str, names: tuple[str, ...], keys: list[str]) -> None:
    runners = [{"id": place, "sortPriority": place, "name": name} for place, name in enumerate(names, start=1)]
    market = a_market(marketType=market_type, eventName="A v B", runners=runners)
    assert keys == [selection.key for selection in market.selections]


#: Betfair's market types as its users list them.
_LISTED = """
MATCH_ODDS CORRECT_SCORE CORRECT_SCORE2 TOTAL_GOALS GOAL_BOTH_HALVES ASIAN_HANDICAP WINCAST HALF_WITH_MOST_GOALS
EXACT_GOALS WIN_HALF TEAM_B_WIN_TO_NIL TO_SCORE_HATTRICK WINNING_MARGIN WIN_FROM_BEHIND TO_SCORE_2_OR_MORE
TEAM_A_WIN_TO_NIL TEAM_TOTAL_GOALS DOUBLE_CHANCE SHOWN_A_CARD FIRST_HALF_GOALS_05 TEAM_B_2 MATCH_ODDS_AND_BTTS
FIRST_CORNER PENALTY_TAKEN RACE_TO_3_GOALS CORNER_MATCH_BET FIRST_HALF_CORNERS TO_SCORE_BOTH_HALVES ODD_OR_EVEN
MATCH_ODDS_AND_OU_25 CLEAN_SHEET SENDING_OFF HAT_TRICKED_SCORED HALF_TIME TO_SCORE HALF_TIME_FULL_TIME AH_ODDS_MARKET
HALF_TIME_SCORE BOOKING_ODDS CORNER_ODDS FIRST_GOAL_SCORER FIRST_GOAL_ODDS WIN_BOTH_HALVES BOOKING_MATCH_BET NEXT_GOAL
SCORE_CAST BOTH_TEAMS_TO_SCORE DRAW_NO_BET OVER_UNDER_105_CORNR OVER_UNDER_25_CARDS SET_WINNER SET_BETTING
NUMBER_OF_SETS TIE_BREAK TO_QUALIFY LAST_GOALSCORER ALT_TOTAL_GOALS COMBINED_TOTAL HANDICAP WIN PLACE EACH_WAY FORECAST
TOP_N_FINISH TOP_5_FINISH REV_FORECAST ANTEPOST_WIN DAILY_WIN_DIST MATCH_BET UNDIFFERENTIATED STEWARDS GROUP_QUADCAST
OVER_UNDER_05 OVER_UNDER_55_CORNR OVER_UNDER_135_CORNR OVER_UNDER_45_CARDS OVER_UNDER_65_CARDS FIRST_HALF_GOALS_15
SECOND_HALF_GOALS_05 TEAM_A_1 TEAM_A_3 TEAM_B_1 RACE_TO_2_GOALS TOTAL_GOALS_INDEX TOTAL_CORNERS TO_REACH_QUARTERS
TO_REACH_SEMIS TO_REACH_FINAL TOURNAMENT_WINNER TOTAL_POINTS HALF_HANDICAP HALF_TOTAL_POINTS HALF_MATCH_ODDS
QUARTER_HANDICAP QUARTER_TOTAL_POINTS QUARTER_MATCH_ODDS PLAYER_POINTS TOTAL_GAMES 6-0_SET SET_CORRECT_SCORE
GAME_BY_GAME_01_01 GAME_BY_GAME_03_13 TEAM_A_OVER_UNDER_05 TEAM_B_OVER_UNDER_25 ET_CORRECT_SCORE ET_BTTS ET_OU_GOALS_05
ET_FH_OU_GOALS_15 ET_NEXT_GOAL EXTRA_TIME ET_HALF_TIME 2ND_HALF_MATCH_ODDS NEXT_GOALSCORER MATCH_ODDS_UNMANAGED
MONEY_LINE OUTRIGHT_WINNER WINNER ROCK_BOTTOM TOP_GOALSCORER SPECIALS_NEXT_MGR DAILY_GOALS DAILY_SPECIALS SEASON_SPECIALS
SPECIAL ACCA RUN_LINE_LISTED INNINGS_RUNS 1ST_INNINGS_RUNS_A HIGHEST_OVER_TOTAL METHOD_OF_VICTORY TIED_MATCH
COMPLETED_MATCH TOTAL_SIXES TOTAL_FOURS TOP_BATSMAN TOP_WICKETS_TAKER HEAD_TO_HEAD TOURN_MATCHBET_NOTIE FIRST_TO_SCORE
LAST_TEAM_TO_SCORE 1ST_DISMISSAL_METHOD 1ST_INNINGS_LEAD TOTAL_FRAMES OPENING_PARTNERSHIP FIRST_TRY_ODDS FIRST_TRY_SCORER
FIRST_SCORING_PLAY TO_SCORE_25 TO_SCORE_50 TO_SCORE_100 ROUND_BETTING GO_THE_DISTANCE FIRST_OVER_RUNS SERIES_WINNER
PLAYER_PROGRESS SESSION_RUNS CENTURY_SCORED ROUND_LEADER QUALIFYING_WINNER WINNING_CAR TO_BE_CLASSIFIED SAFETY_CAR
POINTS_FINISH MAKE_THE_CUT FASTEST_LAP TEST_MATCH_END REGULAR_TIME_GOALS PLAYER_A_WIN_A_SET PLAYER_B_WIN_A_SET
SHOTS_ON_TARGET_P1 PLAYER_FOULS_2 MATCH_SHOTS TO_WIN_THE_TOSS MAN_OF_MATCH TEAM_TOTAL_POINTS BIG_V_FIELD
"""


@pytest.mark.parametrize("market_type", _LISTED.split())
def test_the_market_types_of_betfair_have_a_type(market_type: str) -> None:
    assert "other" != a_market(marketType=market_type).type


@pytest.mark.parametrize("market_type", ["TO_SCORE", "SHOWN_A_CARD", "TOTAL_GOALS", "SHOTS_ON_TARGET_P2"])
def test_selections_that_win_on_their_own_have_no_number_of_winners(market_type: str) -> None:
    assert 0 == a_market(marketType=market_type, numberOfWinners=1).winners


def test_races_of_one_meeting_are_named_by_their_market() -> None:
    assert "betfair.900/winner/1.24" == a_market(marketType="WIN", eventTypeId="7").id
    assert "betfair.900/winner" == a_market(marketType="WINNER", eventTypeId="3").id
    place = a_market(1, 2, 3, 4, marketType="PLACE", eventTypeId="7", numberOfWinners=3)
    assert ("place", 3) == (place.type, place.winners)


def test_handicap_runners_keep_their_line_in_their_key() -> None:
    market = a_market((47972, -0.25), (47973, 0.25), marketType="ASIAN_HANDICAP")
    assert ["47972@-0.25", "47973@0.25"] == [selection.key for selection in market.selections]
    assert "betfair.900/asian_handicap/ft" == market.id


def test_each_way_lines_and_ranges_have_no_number_of_winners() -> None:
    assert 0 == a_market(marketType="EACH_WAY", numberOfWinners=2).winners
    assert 0 == a_market(marketType="TOTAL_RUNS", bettingType="LINE").winners


@pytest.mark.parametrize("winners", [0, 1, -1])
@pytest.mark.parametrize("betting_type", ["ASIAN_HANDICAP_DOUBLE_LINE", "ASIAN_HANDICAP_SINGLE_LINE", "ODDS"])
def test_of_every_line_of_an_asian_handicap_one_side_wins(winners: int, betting_type: str) -> None:
    runners = ((47972, -0.25), (47973, 0.25))
    market = a_market(*runners, marketType="ASIAN_HANDICAP", bettingType=betting_type, numberOfWinners=winners)
    assert 1 == market.winners


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("OPEN", "open"), ("SUSPENDED", "suspended"), ("INACTIVE", "suspended"), ("CLOSED", "closed"), ("NEW_WORD", "suspended")],
)
def test_an_unknown_status_suspends(theirs: str, ours: str) -> None:
    assert ours == a_market(status=theirs).status


def test_runner_statuses() -> None:
    statuses = ["ACTIVE", "REMOVED", "REMOVED_VACANT", "HIDDEN", "WINNER", "LOSER", "PLACED", "NEW_WORD"]
    market = a_market(runners=[{"id": place, "sortPriority": place, "status": status} for place, status in enumerate(statuses)])
    assert ["active", "removed", "removed", "removed", "winner", "loser", "placed", "suspended"] == [
        selection.status for selection in market.selections
    ]


def test_us_sports_name_the_away_side_first() -> None:
    market = a_market(1, 2, marketType="MATCH_ODDS", eventName="Bears @ Lions")
    assert [("away", "Bears"), ("home", "Lions")] == [(selection.key, selection.name) for selection in market.selections]


def test_match_odds_of_football_without_a_draw_are_not_a_moneyline() -> None:
    """They lack an outcome, and are not priced."""
    market = a_market(1, 2, marketType="MATCH_ODDS", eventTypeId="1")
    assert ("betfair.900/match_odds", "match_odds") == (market.id, market.type)


def test_an_event_holds_what_the_definition_knows() -> None:
    converted = msgspec.convert(
        betfair_market(eventTypeId="1", eventName="A v B", countryCode="GB", marketTime="2022-07-11T11:00:00.000Z")[
            "marketDefinition"
        ],
        Definition,
    )
    event = to_event("betfair", converted, in_play=True)
    assert ("betfair.900", "football", "A v B", ("A", "B"), 1657537200000, True) == (
        event.id, event.sport, event.name, event.participants, event.start_ms, event.in_play,
    )  # fmt: skip
    assert ("betfair.football.gb", "GB") == (event.competition.id, event.competition.name)


@pytest.mark.parametrize(
    ("open_date", "market_time", "starts"),
    [
        ("11:00", "11:00", (1657537200000, None)),
        ("11:00", "12:00", (1657537200000, 1657540800000)),
        (None, "11:00", (1657537200000, 1657537200000)),
        ("11:00", None, (1657537200000, None)),
        (None, None, (None, None)),
    ],
)
def test_a_market_has_a_start_of_its_own_where_it_differs_from_its_events(
    open_date: str | None, market_time: str | None, starts: tuple[int | None, int | None]
) -> None:
    given = {"openDate": open_date, "marketTime": market_time}
    times = {key: f"2022-07-11T{time}:00.000Z" for key, time in given.items() if time is not None}
    definition = msgspec.convert(betfair_market(**times)["marketDefinition"], Definition)
    assert starts == (to_event("betfair", definition, in_play=False).start_ms, a_market(**times).start_ms)


def test_an_unreadable_time_or_unknown_sport_does_not_affect_the_rest() -> None:
    converted = msgspec.convert(betfair_market(marketTime="soon", eventTypeId="99")["marketDefinition"], Definition)
    event = to_event("betfair", converted, in_play=False)
    assert (None, "betfair-99") == (event.start_ms, event.sport)
