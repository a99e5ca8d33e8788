"""The market types as data: their names, selections and lines.

They are the union of what the providers document. A type says what is bet on; the period, the line and the unit of what is
counted (corners, sets) are properties of a market. `docs/market-types.md` holds the table that this module prints.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.taxonomy import MarketType


#: What markets are displayed under, in this order: handicaps, totals and results of a part of the match under `periods`, those
#: of corners, cards and the like under `statistics`.
Group = Literal["main", "handicaps", "totals", "scores", "periods", "players", "statistics", "specials"]


class TypeInfo(NamedTuple):
    """The properties of a type.

    `roles` are the keys of its selections, the same at every source, divided by spaces; empty where the selections are the
    provider's own, as runners and players. `unit` is what its line counts where the type itself says so. `winners` is the number
    of selections that win, None where it is the provider's to say or no such number exists.
    """

    name: str
    roles: str
    has_line: bool = False
    unit: str | None = None
    winners: int | None = 1


MARKET_TYPES: Final[dict[MarketType, TypeInfo]] = {
    # results
    "match_odds": TypeInfo("Match odds", "home draw away"),
    "moneyline": TypeInfo("Moneyline", "home away"),
    "draw_no_bet": TypeInfo("Draw no bet", "home away"),
    "home_no_bet": TypeInfo("Home no bet", "draw away"),
    "away_no_bet": TypeInfo("Away no bet", "home draw"),
    "double_chance": TypeInfo("Double chance", "home_draw home_away draw_away", winners=2),
    "half_time_full_time": TypeInfo(
        "Half-time/full-time", "home_home home_draw home_away draw_home draw_draw draw_away away_home away_draw away_away"
    ),
    "win_both_halves": TypeInfo("To win both halves", "yes no"),
    "win_either_half": TypeInfo("To win either half", "yes no"),
    "home_win_to_nil": TypeInfo("Home to win to nil", "yes no"),
    "away_win_to_nil": TypeInfo("Away to win to nil", "yes no"),
    "win_from_behind": TypeInfo("To win from behind", "yes no"),
    "winning_margin": TypeInfo("Winning margin", ""),
    "to_qualify": TypeInfo("To qualify", "home away"),
    "tied_match": TypeInfo("Tied match", "yes no"),
    "overtime": TypeInfo("Overtime", "yes no"),
    "penalty_shootout": TypeInfo("Penalty shoot-out", "yes no"),
    "method_of_victory": TypeInfo("Method of victory", ""),
    "match_odds_and_total": TypeInfo(
        "Match odds and total", "home_under home_over draw_under draw_over away_under away_over", has_line=True
    ),
    "match_odds_and_both_to_score": TypeInfo(
        "Match odds and both to score", "home_yes home_no draw_yes draw_no away_yes away_no"
    ),
    "total_and_both_to_score": TypeInfo("Total and both to score", "over_yes over_no under_yes under_no", has_line=True),
    "double_chance_and_total": TypeInfo("Double chance and total", "", has_line=True, winners=None),
    "double_chance_and_both_to_score": TypeInfo("Double chance and both to score", "", winners=None),
    # lines
    "handicap": TypeInfo("Handicap", "home draw away", has_line=True),
    "asian_handicap": TypeInfo("Asian handicap", "home away", has_line=True),
    "total": TypeInfo("Total", "under over", has_line=True),
    "home_total": TypeInfo("Home total", "under over", has_line=True),
    "away_total": TypeInfo("Away total", "under over", has_line=True),
    "odd_even": TypeInfo("Odd or even", "odd even"),
    "home_odd_even": TypeInfo("Home odd or even", "odd even"),
    "away_odd_even": TypeInfo("Away odd or even", "odd even"),
    "exact_total": TypeInfo("Exact total", ""),
    "home_exact_total": TypeInfo("Home exact total", ""),
    "away_exact_total": TypeInfo("Away exact total", ""),
    "total_band": TypeInfo("Total in bands", ""),
    "total_at_least": TypeInfo("Total at least", "", winners=None),
    "team_total_at_least": TypeInfo("Team total at least", "", winners=None),
    "half_with_most": TypeInfo("Half with most", "h1 h2 tie"),
    "period_with_most": TypeInfo("Period with most", ""),
    # scores
    "both_to_score": TypeInfo("Both to score", "yes no"),
    "home_to_score": TypeInfo("Home to score", "yes no"),
    "away_to_score": TypeInfo("Away to score", "yes no"),
    "correct_score": TypeInfo("Correct score", ""),
    "clean_sheet": TypeInfo("Clean sheet", "yes no"),
    "to_score_both_halves": TypeInfo("To score in both halves", "yes no"),
    "both_to_score_both_halves": TypeInfo("Both to score in both halves", "yes no"),
    "scoring_in_both_halves": TypeInfo("Scoring in both halves", "yes no"),
    "first_to_score": TypeInfo("First to score", "home away none"),
    "last_to_score": TypeInfo("Last to score", "home away none"),
    "next_to_score": TypeInfo("Next to score", "home away none"),
    "race_to": TypeInfo("Race to a score", "home away none", has_line=True),
    "time_of_first_score": TypeInfo("Time of the first score", ""),
    "first_scoring_play": TypeInfo("First scoring play", ""),
    "scoring_in_interval": TypeInfo("Scoring in an interval", "yes no"),
    # incidents
    "sending_off": TypeInfo("Sending off", "yes no"),
    "penalty_awarded": TypeInfo("Penalty awarded", "yes no"),
    "penalty_scored": TypeInfo("Penalty scored", "yes no"),
    "own_goal": TypeInfo("Own goal", "yes no"),
    "hat_trick": TypeInfo("Hat-trick scored", "yes no"),
    "safety_car": TypeInfo("Safety car", "yes no"),
    "completed_match": TypeInfo("Completed match", "yes no"),
    # players
    "first_goalscorer": TypeInfo("First goalscorer", ""),
    "last_goalscorer": TypeInfo("Last goalscorer", ""),
    "next_goalscorer": TypeInfo("Next goalscorer", ""),
    "anytime_goalscorer": TypeInfo("Anytime goalscorer", "", unit="goals", winners=None),
    "two_or_more_goals": TypeInfo("To score two or more", "", unit="goals", winners=None),
    "player_hat_trick": TypeInfo("To score a hat-trick", "", unit="goals", winners=None),
    "goalscorer_and_result": TypeInfo("Goalscorer and result", "", winners=None),
    "goalscorer_and_score": TypeInfo("Goalscorer and correct score", ""),
    "player_carded": TypeInfo("To be shown a card", "", unit="cards", winners=None),
    "player_sent_off": TypeInfo("To be sent off", "", unit="cards", winners=None),
    "player_shots": TypeInfo("Player's shots", "", has_line=True, unit="shots", winners=None),
    "player_shots_on_target": TypeInfo("Player's shots on target", "", has_line=True, unit="shots_on_target", winners=None),
    "player_assists": TypeInfo("Player's assists", "", has_line=True, unit="assists", winners=None),
    "player_fouls": TypeInfo("Player's fouls", "", has_line=True, unit="fouls", winners=None),
    "player_tackles": TypeInfo("Player's tackles", "", has_line=True, unit="tackles", winners=None),
    "player_passes": TypeInfo("Player's passes", "", has_line=True, unit="passes", winners=None),
    "player_saves": TypeInfo("Goalkeeper's saves", "", has_line=True, unit="saves", winners=None),
    "player_points": TypeInfo("Player's points", "", has_line=True, unit="points", winners=None),
    "player_rebounds": TypeInfo("Player's rebounds", "", has_line=True, unit="rebounds", winners=None),
    "player_threes": TypeInfo("Player's threes", "", has_line=True, unit="threes", winners=None),
    "player_double_double": TypeInfo("Player's double-double", "", winners=None),
    "player_aces": TypeInfo("Player's aces", "", has_line=True, unit="aces", winners=None),
    "player_hits": TypeInfo("Player's hits", "", has_line=True, unit="hits", winners=None),
    "player_home_runs": TypeInfo("Player's home runs", "", has_line=True, unit="home_runs", winners=None),
    "player_strikeouts": TypeInfo("Pitcher's strikeouts", "", has_line=True, unit="strikeouts", winners=None),
    "player_passing_yards": TypeInfo("Player's passing yards", "", has_line=True, unit="yards", winners=None),
    "player_rushing_yards": TypeInfo("Player's rushing yards", "", has_line=True, unit="yards", winners=None),
    "player_receiving_yards": TypeInfo("Player's receiving yards", "", has_line=True, unit="yards", winners=None),
    "first_try_scorer": TypeInfo("First try scorer", ""),
    "anytime_try_scorer": TypeInfo("Anytime try scorer", "", unit="tries", winners=None),
    "first_touchdown_scorer": TypeInfo("First touchdown scorer", ""),
    "anytime_touchdown_scorer": TypeInfo("Anytime touchdown scorer", "", unit="touchdowns", winners=None),
    "player_progress": TypeInfo("Player's progress", ""),
    # tennis
    "home_win_a_set": TypeInfo("Home to win a set", "yes no"),
    "away_win_a_set": TypeInfo("Away to win a set", "yes no"),
    "tie_break": TypeInfo("Tie-break", "yes no"),
    "set_to_love": TypeInfo("Set to love", "yes no"),
    "game_winner": TypeInfo("Winner of a game", "home away"),
    # cricket
    "top_batter": TypeInfo("Top batter", ""),
    "top_bowler": TypeInfo("Top bowler", ""),
    "innings_runs": TypeInfo("Runs of an innings", "", has_line=True, unit="runs", winners=None),
    "session_runs": TypeInfo("Runs of a session", "", has_line=True, unit="runs", winners=None),
    "over_runs": TypeInfo("Runs of an over", "", has_line=True, unit="runs", winners=None),
    "highest_over": TypeInfo("Highest over", "", has_line=True, unit="runs", winners=None),
    "first_dismissal_method": TypeInfo("Method of the first dismissal", ""),
    "opening_partnership": TypeInfo("Best opening partnership", ""),
    "innings_lead": TypeInfo("First-innings lead", ""),
    "century_scored": TypeInfo("Century scored", "yes no"),
    "player_runs_at_least": TypeInfo("Batter's runs at least", "", unit="runs", winners=None),
    "total_sixes": TypeInfo("Total sixes", "", has_line=True, unit="sixes", winners=None),
    "total_fours": TypeInfo("Total fours", "", has_line=True, unit="fours", winners=None),
    "toss_winner": TypeInfo("Winner of the toss", "home away"),
    # fights
    "round_betting": TypeInfo("Round betting", ""),
    "go_the_distance": TypeInfo("To go the distance", "yes no"),
    # races and tournaments
    "winner": TypeInfo("Winner", ""),
    "place": TypeInfo("Place", "", winners=None),
    "each_way": TypeInfo("Each way", "", winners=None),
    "forecast": TypeInfo("Forecast", ""),
    "reverse_forecast": TypeInfo("Reverse forecast", ""),
    "tricast": TypeInfo("Tricast", ""),
    "without_favourite": TypeInfo("Winner without the favourite", ""),
    "match_bet": TypeInfo("Match bet", ""),
    "winning_distance": TypeInfo("Winning distances", "", has_line=True, unit="lengths", winners=None),
    "top_finish": TypeInfo("Top finish", "", winners=None),
    "make_the_cut": TypeInfo("To make the cut", "", winners=None),
    "round_leader": TypeInfo("Leader after a round", ""),
    "qualifying_winner": TypeInfo("Winner of qualifying", ""),
    "fastest_lap": TypeInfo("Fastest lap", ""),
    "podium": TypeInfo("Podium finish", "", winners=None),
    "points_finish": TypeInfo("Points finish", "", winners=None),
    "classified": TypeInfo("To be classified", "", winners=None),
    "winning_constructor": TypeInfo("Winning constructor", ""),
    "group_winner": TypeInfo("Group winner", ""),
    "division_winner": TypeInfo("Division winner", ""),
    "series_winner": TypeInfo("Series winner", ""),
    "series_score": TypeInfo("Series score", ""),
    "to_reach_quarter_finals": TypeInfo("To reach the quarter-finals", "", winners=None),
    "to_reach_semi_finals": TypeInfo("To reach the semi-finals", "", winners=None),
    "to_reach_final": TypeInfo("To reach the final", "", winners=None),
    "relegation": TypeInfo("To be relegated", "", winners=None),
    "last_place": TypeInfo("Last place", ""),
    "top_goalscorer": TypeInfo("Top goalscorer", ""),
    "next_manager": TypeInfo("Next manager", ""),
    "most_valuable_player": TypeInfo("Most valuable player", ""),
    "tournament_total": TypeInfo("Total of a tournament or day", "", has_line=True, winners=None),
    # rest
    "special": TypeInfo("Special", "", winners=None),
    "other": TypeInfo("Other", ""),
}

#: The types of each group; all others are specials.
_GROUPS: Final[dict[Group, str]] = {
    "main": "match_odds moneyline draw_no_bet home_no_bet away_no_bet double_chance to_qualify winner place each_way",
    "handicaps": "handicap asian_handicap winning_margin",
    "totals": (
        "total home_total away_total odd_even home_odd_even away_odd_even exact_total home_exact_total away_exact_total "
        "total_band total_at_least team_total_at_least innings_runs session_runs over_runs highest_over total_sixes "
        "total_fours tournament_total"
    ),
    "scores": (
        "match_odds_and_total match_odds_and_both_to_score total_and_both_to_score double_chance_and_total "
        "double_chance_and_both_to_score home_win_to_nil away_win_to_nil win_from_behind both_to_score home_to_score "
        "away_to_score correct_score clean_sheet first_to_score last_to_score next_to_score race_to time_of_first_score "
        "first_scoring_play scoring_in_interval"
    ),
    "periods": (
        "half_time_full_time win_both_halves win_either_half half_with_most period_with_most to_score_both_halves "
        "both_to_score_both_halves scoring_in_both_halves home_win_a_set away_win_a_set tie_break set_to_love game_winner "
        "overtime penalty_shootout round_betting go_the_distance innings_lead"
    ),
    "players": (
        "first_goalscorer last_goalscorer next_goalscorer anytime_goalscorer two_or_more_goals player_hat_trick "
        "goalscorer_and_result goalscorer_and_score player_carded player_sent_off player_shots player_shots_on_target "
        "player_assists player_fouls player_tackles player_passes player_saves player_points player_rebounds "
        "player_threes player_double_double player_aces player_hits player_home_runs player_strikeouts "
        "player_passing_yards player_rushing_yards player_receiving_yards first_try_scorer anytime_try_scorer "
        "first_touchdown_scorer anytime_touchdown_scorer player_progress top_batter top_bowler player_runs_at_least "
        "century_scored opening_partnership first_dismissal_method top_goalscorer most_valuable_player hat_trick"
    ),
}
_GROUP_OF: Final[dict[str, Group]] = {market_type: group for group, types in _GROUPS.items() for market_type in types.split()}
_GROUP_RANKS: Final = {group: rank for rank, group in enumerate(get_args(Group), 1)}
_TYPE_RANKS: Final = {market_type: rank for rank, market_type in enumerate(MARKET_TYPES)}
#: Periods that are all of a match.
_WHOLE: Final = frozenset({None, "ft", "reg"})
#: What some sport's score counts.
_SCORES: Final = frozenset({"goals", "points", "runs", "sets", "games", "legs", "frames", "maps", "rounds"})
#: How a unit begins that only a feed knows: `of_<feed>`.
_OF_A_FEED: Final = "of_"
#: Every key of a selection that means the same at every source.
ROLES: Final = frozenset(role for info in MARKET_TYPES.values() for role in info.roles.split())

#: Types whose line is a head start, and has a sign.
HEAD_STARTS: Final = frozenset({"handicap", "asian_handicap"})
#: The sports in which bookmakers count an Asian handicap in play from the score at the time of the bet.
_COUNTED_FROM_SCORE: Final = frozenset({"football", "esoccer", "futsal", "beach_soccer"})
_PERIODS: Final = {
    "ft": "",
    "reg": "regular time",
    "f5": "first five innings",
    "et": "extra time",
    "et1": "first half of extra time",
    "pen": "penalty shoot-out",
}
_PARTS: Final = {"h": "half", "q": "quarter", "p": "period", "i": "inning"}
_ORDINALS: Final = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_NUMBERED: Final = re.compile(r"([a-z]+)([0-9])")


def default_name(market_type: MarketType, period: str | None = None, line: float | None = None, unit: str | None = None) -> str:
    """Return the name of a market to which its source gave none, such as `Total 9.5 corners, first half`."""
    name = MARKET_TYPES[market_type].name
    if line is not None:
        name = f"{name} {line:+g}" if market_type in HEAD_STARTS and line else f"{name} {line:g}"
    if unit is not None:
        name = f"{name} {unit.replace('_', ' ')}" if line is not None else f"{name} ({unit.replace('_', ' ')})"
    return f"{name}, {period_name}" if (period_name := _period_name(period)) else name


def _period_name(period: str | None) -> str:
    if period is None or period in _PERIODS:
        return _PERIODS.get(period or "ft", "")
    match = _NUMBERED.fullmatch(period)
    if match is None:
        return period
    part = _PARTS.get(match[1])
    return f"{match[1]} {match[2]}" if part is None else f"{_ORDINALS[int(match[2])]} {part}"


def group_of(market_type: MarketType) -> Group:
    """Return the group of a type, where its markets are not of a part of the match or of statistics."""
    return _GROUP_OF.get(market_type, "specials")


class Place(NamedTuple):
    """The place where a market is displayed: a group, and in it a number that all markets of an event are sorted by."""

    group: Group
    order: int


@lru_cache(maxsize=4096)
def place_of(market_type: MarketType, period: str | None = None, line: float | None = None, unit: str | None = None) -> Place:
    """Return where a market is displayed: by group, period, type, unit and line."""
    info = MARKET_TYPES[market_type]
    group = group_of(market_type)
    if group in {"main", "handicaps", "totals"}:
        if unit is not None and unit != info.unit and unit not in _SCORES and not unit.startswith(_OF_A_FEED):
            group = "statistics"
        elif period not in _WHOLE:
            group = "periods"
    place = _GROUP_RANKS[group]
    for rank, size in (
        (_period_rank(period), 100),
        (_TYPE_RANKS[market_type], 1_000),
        (0 if unit is None else 1 + (unit not in _SCORES), 10),
        (0 if line is None else 5_000 + max(-4_999, min(round(4 * line), 4_999)), 10_000),
    ):
        place = place * size + rank
    return Place(group, place)


def _period_rank(period: str | None) -> int:
    # Numbered periods come in their order, then unknown ones, and named ones such as the shoot-out last.
    if period in _WHOLE:
        return 0
    match = _NUMBERED.fullmatch(period or "")
    if match is not None and match[1] != "et":
        return 10 + int(match[2])
    return 50 if match is None and period not in _PERIODS else 60


def selection_orders(market_type: MarketType, keys: Sequence[str]) -> tuple[int, ...]:
    """Return the positions of a market's selections for display: as its type lists them, others in the source's order."""
    roles = MARKET_TYPES[market_type].roles.split()
    return tuple([roles.index(key) if key in roles else len(roles) + place for place, key in enumerate(keys)])


def counts_from_score(definition: MarketDefinition, sport: str) -> bool:
    """Check whether only goals after the current score count for a market, because it is in play."""
    return (
        definition.in_play
        and definition.type == "asian_handicap"
        and not definition.counts_all_goals
        and sport in _COUNTED_FROM_SCORE
    )


def market_types_table() -> str:
    """Return the types as a Markdown table, for the documentation."""
    rows = [
        f"| `{key}` | {info.name} | {' '.join(f'`{role}`' for role in info.roles.split()) or 'its own'} "
        f"| {'yes' * info.has_line} | {info.unit or ''} | {'' if info.winners is None else info.winners} | {group_of(key)} |"
        for key, info in MARKET_TYPES.items()
    ]
    return "\n".join(
        ["| type | name | selections | line | unit | winners | group |", "| --- | --- | --- | --- | --- | --- | --- |", *rows]
    )


if __name__ == "__main__":
    sys.stdout.write(market_types_table() + "\n")
