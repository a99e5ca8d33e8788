"""Betfair's market types as types of the domain, with period, line and unit."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from oddsengine.domain.taxonomy import MarketType


class Kind(NamedTuple):
    """The meaning of a market type. `many`: an event may have several markets of it, which differ only in their ids."""

    type: MarketType
    period: str | None = "ft"
    line: float | None = None
    unit: str | None = None
    many: bool = False


_KINDS: Final[dict[str, Kind]] = {
    "MATCH_ODDS": Kind("match_odds"),
    "MATCH_ODDS_UNMANAGED": Kind("match_odds", many=True),
    "HALF_TIME": Kind("match_odds", "h1"),
    "2ND_HALF_MATCH_ODDS": Kind("match_odds", "h2"),
    "EXTRA_TIME": Kind("match_odds", "et"),
    "ET_HALF_TIME": Kind("match_odds", "et1"),
    "RT_MATCH_ODDS": Kind("match_odds"),
    "REGULAR_TIME_MATCH_ODDS": Kind("match_odds"),
    "HALF_MATCH_ODDS": Kind("match_odds", None, many=True),
    "QUARTER_MATCH_ODDS": Kind("match_odds", None, many=True),
    "CORNER_MATCH_BET": Kind("match_odds", unit="corners"),
    "BOOKING_MATCH_BET": Kind("match_odds", unit="booking_points"),
    "MONEY_LINE": Kind("moneyline"),
    "SET_WINNER": Kind("moneyline", None, many=True),
    "MAP_WINNER": Kind("moneyline", None, many=True),
    "DRAW_NO_BET": Kind("draw_no_bet"),
    "DOUBLE_CHANCE": Kind("double_chance"),
    "HALF_TIME_FULL_TIME": Kind("half_time_full_time"),
    "WIN_BOTH_HALVES": Kind("win_both_halves", many=True),
    "WIN_HALF": Kind("win_either_half", many=True),
    "TEAM_A_WIN_TO_NIL": Kind("home_win_to_nil"),
    "TEAM_B_WIN_TO_NIL": Kind("away_win_to_nil"),
    "WIN_FROM_BEHIND": Kind("win_from_behind", many=True),
    "WINNING_MARGIN": Kind("winning_margin", many=True),
    "TO_QUALIFY": Kind("to_qualify", None),
    "TIED_MATCH": Kind("tied_match"),
    "OVERTIME": Kind("overtime"),
    "PENALTY_SHOOTOUT": Kind("penalty_shootout"),
    "METHOD_OF_VICTORY": Kind("method_of_victory"),
    "MATCH_ODDS_AND_BTTS": Kind("match_odds_and_both_to_score"),
    "ASIAN_HANDICAP": Kind("asian_handicap"),
    "AH_ODDS_MARKET": Kind("handicap", many=True),
    "HANDICAP": Kind("handicap", many=True),
    "RUN_LINE": Kind("handicap", many=True),
    "RUN_LINE_LISTED": Kind("handicap", many=True),
    "PUCK_LINE": Kind("handicap", many=True),
    "MAP_HANDICAP": Kind("handicap", unit="maps", many=True),
    "FRAME_HANDICAP": Kind("handicap", unit="frames", many=True),
    "HALF_HANDICAP": Kind("handicap", None, many=True),
    "QUARTER_HANDICAP": Kind("handicap", None, many=True),
    "OVER_UNDER": Kind("total", many=True),
    "ALT_TOTAL_GOALS": Kind("total", many=True),
    "COMBINED_TOTAL": Kind("total", many=True),
    "TOTAL_POINTS": Kind("total", many=True),
    "REGULAR_TIME_GOALS": Kind("total", "reg", many=True),
    "HALF_TOTAL_POINTS": Kind("total", None, many=True),
    "QUARTER_TOTAL_POINTS": Kind("total", None, many=True),
    "TOTAL_GAMES": Kind("total", unit="games", many=True),
    "TOTAL_RUNS": Kind("total", many=True),
    "TOTAL_LEGS": Kind("total", unit="legs", many=True),
    "TOTAL_MAPS": Kind("total", unit="maps", many=True),
    "MATCH_SHOTS": Kind("total", unit="shots", many=True),
    "MATCH_SHOTS_TARGET": Kind("total", unit="shots_on_target", many=True),
    "NUMBER_OF_FRAMES": Kind("exact_total", unit="frames"),
    "TOTAL_FRAMES": Kind("total", unit="frames", many=True),
    "TOTAL_CORNERS": Kind("total", unit="corners", many=True),
    "FIRST_HALF_CORNERS": Kind("total", "h1", unit="corners", many=True),
    "ODD_OR_EVEN": Kind("odd_even"),
    "EXACT_GOALS": Kind("exact_total"),
    "NUMBER_OF_SETS": Kind("exact_total", unit="sets"),
    "CORNER_ODDS": Kind("total_band", unit="corners"),
    "BOOKING_ODDS": Kind("total_band", unit="booking_points"),
    "TOTAL_GOALS": Kind("total_at_least"),
    "TEAM_TOTAL_GOALS": Kind("team_total_at_least", many=True),
    "TEAM_TOTAL_POINTS": Kind("team_total_at_least", many=True),
    "HALF_WITH_MOST_GOALS": Kind("half_with_most"),
    "BOTH_TEAMS_TO_SCORE": Kind("both_to_score"),
    "ET_BTTS": Kind("both_to_score", "et"),
    "CORRECT_SCORE": Kind("correct_score"),
    "CORRECT_SCORE2": Kind("correct_score", many=True),
    "HALF_TIME_SCORE": Kind("correct_score", "h1"),
    "ET_CORRECT_SCORE": Kind("correct_score", "et"),
    "SET_BETTING": Kind("correct_score", unit="sets"),
    "SET_CORRECT_SCORE": Kind("correct_score", None, unit="games", many=True),
    "CLEAN_SHEET": Kind("clean_sheet", many=True),
    "TO_SCORE_BOTH_HALVES": Kind("to_score_both_halves", many=True),
    "GOAL_BOTH_HALVES": Kind("scoring_in_both_halves"),
    "FIRST_TO_SCORE": Kind("first_to_score"),
    "FIRST_CORNER": Kind("first_to_score", unit="corners"),
    "LAST_TEAM_TO_SCORE": Kind("last_to_score"),
    "NEXT_GOAL": Kind("next_to_score"),
    "ET_NEXT_GOAL": Kind("next_to_score", "et"),
    "FIRST_GOAL_ODDS": Kind("time_of_first_score"),
    "FIRST_TRY_ODDS": Kind("time_of_first_score", unit="tries"),
    "FIRST_SCORING_PLAY": Kind("first_scoring_play"),
    "SENDING_OFF": Kind("sending_off"),
    "PENALTY_TAKEN": Kind("penalty_awarded"),
    "HAT_TRICKED_SCORED": Kind("hat_trick"),
    "SAFETY_CAR": Kind("safety_car"),
    "COMPLETED_MATCH": Kind("completed_match"),
    "FIRST_GOAL_SCORER": Kind("first_goalscorer"),
    "LAST_GOALSCORER": Kind("last_goalscorer"),
    "NEXT_GOALSCORER": Kind("next_goalscorer", many=True),
    "TO_SCORE": Kind("anytime_goalscorer"),
    "TO_SCORE_2_OR_MORE": Kind("two_or_more_goals"),
    "TO_SCORE_HATTRICK": Kind("player_hat_trick"),
    "WINCAST": Kind("goalscorer_and_result", many=True),
    "SCORE_CAST": Kind("goalscorer_and_score", many=True),
    "SHOWN_A_CARD": Kind("player_carded"),
    "PLAYER_POINTS": Kind("player_points", many=True),
    "FIRST_TRY_SCORER": Kind("first_try_scorer"),
    "ANYTIME_TRY_SCORER": Kind("anytime_try_scorer"),
    "FIRST_TD_SCORER": Kind("first_touchdown_scorer"),
    "ANYTIME_TD_SCORER": Kind("anytime_touchdown_scorer"),
    "MAN_OF_MATCH": Kind("most_valuable_player", many=True),
    "PLAYER_PROGRESS": Kind("player_progress", None, many=True),
    "PLAYER_A_WIN_A_SET": Kind("home_win_a_set"),
    "PLAYER_B_WIN_A_SET": Kind("away_win_a_set"),
    "TIE_BREAK": Kind("tie_break", many=True),
    "6-0_SET": Kind("set_to_love", many=True),
    "TOP_BATSMAN": Kind("top_batter", None, many=True),
    "TOP_WICKETS_TAKER": Kind("top_bowler", None, many=True),
    "TOP_BOWLER": Kind("top_bowler", None, many=True),
    "TO_WIN_THE_TOSS": Kind("toss_winner", None),
    "INNINGS_RUNS": Kind("innings_runs", None, many=True),
    "SESSION_RUNS": Kind("session_runs", None, many=True),
    "FIRST_OVER_RUNS": Kind("over_runs", None, many=True),
    "HIGHEST_OVER_TOTAL": Kind("highest_over", many=True),
    "1ST_DISMISSAL_METHOD": Kind("first_dismissal_method", many=True),
    "OPENING_PARTNERSHIP": Kind("opening_partnership", many=True),
    "1ST_INNINGS_LEAD": Kind("innings_lead", many=True),
    "CENTURY_SCORED": Kind("century_scored", many=True),
    "TOTAL_SIXES": Kind("total_sixes", many=True),
    "TOTAL_FOURS": Kind("total_fours", many=True),
    "ROUND_BETTING": Kind("round_betting", many=True),
    "GO_THE_DISTANCE": Kind("go_the_distance"),
    "WIN": Kind("winner", None),
    "ANTEPOST_WIN": Kind("winner", None, many=True),
    "WINNER": Kind("winner", None),
    "OUTRIGHT_WINNER": Kind("winner", None),
    "TOURNAMENT_WINNER": Kind("winner", None),
    "PLACE": Kind("place", None),
    "OTHER_PLACE": Kind("place", None),
    "EACH_WAY": Kind("each_way", None, many=True),
    "FORECAST": Kind("forecast", None, many=True),
    "REV_FORECAST": Kind("reverse_forecast", None, many=True),
    "TRICAST": Kind("tricast", None, many=True),
    "WITHOUT_FAV": Kind("without_favourite", None, many=True),
    "TO_LIFT_TROPHY": Kind("winner", None),
    "MATCH_BET": Kind("match_bet", None, many=True),
    "HEAD_TO_HEAD": Kind("match_bet", None, many=True),
    "TOURN_MATCHBET_NOTIE": Kind("match_bet", None, many=True),
    "DAILY_WIN_DIST": Kind("winning_distance", None, many=True),
    "TOP_N_FINISH": Kind("top_finish", None, many=True),
    "MAKE_THE_CUT": Kind("make_the_cut", None, many=True),
    "ROUND_LEADER": Kind("round_leader", None, many=True),
    "PODIUM_FINISH": Kind("podium", None, many=True),
    "QUALIFYING_WINNER": Kind("qualifying_winner", None, many=True),
    "FASTEST_LAP": Kind("fastest_lap", None, many=True),
    "POINTS_FINISH": Kind("points_finish", None, many=True),
    "TO_BE_CLASSIFIED": Kind("classified", None, many=True),
    "WINNING_CAR": Kind("winning_constructor", None, many=True),
    "SERIES_WINNER": Kind("series_winner", None, many=True),
    "SERIES_SCORE": Kind("series_score", None, many=True),
    "GROUP_WINNER": Kind("group_winner", None, many=True),
    "DIVISION_WINNER": Kind("division_winner", None, many=True),
    "RELEGATION": Kind("relegation", None, many=True),
    "TO_REACH_QUARTERS": Kind("to_reach_quarter_finals", None, many=True),
    "TO_REACH_SEMIS": Kind("to_reach_semi_finals", None, many=True),
    "TO_REACH_FINAL": Kind("to_reach_final", None, many=True),
    "ROCK_BOTTOM": Kind("last_place", None, many=True),
    "TOP_GOALSCORER": Kind("top_goalscorer", None, many=True),
    "SPECIALS_NEXT_MGR": Kind("next_manager", None, many=True),
    "DAILY_GOALS": Kind("tournament_total", None, many=True),
    "TOTAL_GOALS_INDEX": Kind("tournament_total", None, many=True),
    # Whatever no other type fits: named by their markets.
    **dict.fromkeys(
        (
            *("SPECIAL", "SEASON_SPECIALS", "DAILY_SPECIALS", "GRAND_SLAM_SPECIALS", "UNDIFFERENTIATED", "ACCA", "STEWARDS"),
            *("GROUP_QUADCAST", "QUALI_WINNER_DOUBLE", "QUALIFYING_ROUND_3", "TOTAL_CLASS_DRIVERS", "PRACTICE_SESSIONS"),
            *("TEST_MATCH_END", "BIG_V_FIELD"),
        ),
        Kind("special", None, many=True),
    ),
}
_OTHER: Final = Kind("other", None, many=True)
#: Families of names that end in a line in tenths, `OVER_UNDER_25`: what comes before it and after it.
_LINES: Final[dict[tuple[str, str], Kind]] = {
    ("OVER_UNDER", ""): Kind("total"),
    ("OVER_UNDER", "_CORNR"): Kind("total", unit="corners"),
    ("OVER_UNDER", "_CARDS"): Kind("total", unit="cards"),
    ("FIRST_HALF_GOALS", ""): Kind("total", "h1"),
    ("SECOND_HALF_GOALS", ""): Kind("total", "h2"),
    ("ET_OU_GOALS", ""): Kind("total", "et"),
    ("ET_FH_OU_GOALS", ""): Kind("total", "et1"),
    ("TEAM_A_OVER_UNDER", ""): Kind("home_total"),
    ("TEAM_B_OVER_UNDER", ""): Kind("away_total"),
    ("MATCH_ODDS_AND_OU", ""): Kind("match_odds_and_total"),
}
_LINE = re.compile(r"([A-Z_]+)_([0-9]{1,6})5(_CORNR|_CARDS|)")
_TEAM_HANDICAP = re.compile(r"TEAM_([AB])_([0-9]{1,6})")
_RACE = re.compile(r"RACE_TO_([0-9]{1,6})_GOALS")
_GAME = re.compile(r"GAME_BY_GAME_0([0-9])_[0-9][0-9]")
#: Families of names with a number, or a side, that says nothing of the type.
_FAMILIES: Final[tuple[tuple[re.Pattern[str], Kind], ...]] = (
    (re.compile(r"SHOTS_ON_TARGET_P[0-9]+"), Kind("player_shots_on_target", many=True)),
    (re.compile(r"PLAYER_FOULS_[0-9]+"), Kind("player_fouls", many=True)),
    (re.compile(r"TOP_[0-9]+_FINISH"), Kind("top_finish", None, many=True)),
    (re.compile(r"[0-9]_BALL_BETTING"), Kind("match_bet", None, many=True)),
    (re.compile(r"(1ST|2ND)_INNINGS_RUNS(_A|_B)?"), Kind("innings_runs", None, many=True)),
    (re.compile(r"TO_SCORE_[0-9]+"), Kind("player_runs_at_least", many=True)),
    (re.compile(r"CORRECT_SCORE2_[0-9]"), Kind("correct_score", many=True)),
)


def kind_of(market_type: str) -> Kind:
    """Return what a market type of Betfair means; one that is not known is `other`."""
    if known := _KINDS.get(market_type):
        return known
    match = _LINE.fullmatch(market_type)
    if match is not None and (kind := _LINES.get((match[1], match[3]))) is not None:
        return kind._replace(line=int(match[2]) + 0.5)
    return _numbered(market_type) or _OTHER


def _numbered(market_type: str) -> Kind | None:
    if match := _TEAM_HANDICAP.fullmatch(market_type):
        goals = float(match[2])
        return Kind("handicap", line=goals if match[1] == "A" else -goals)
    if match := _RACE.fullmatch(market_type):
        return Kind("race_to", line=float(match[1]))
    if match := _GAME.fullmatch(market_type):
        return Kind("game_winner", f"set{match[1]}", many=True)
    return next((kind for pattern, kind in _FAMILIES if pattern.fullmatch(market_type)), None)
