"""Translates Betfair's market definitions into the domain's markets and events.

Roles follow Betfair's order: in a two-team market the first runner by sortPriority is home, the second away (reversed if the
event is named "A @ B"), and selection 58805 is the draw; in a totals market under precedes over.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from feeds.adapters.betfair.translation.kinds import kind_of
from feeds.adapters.betfair.translation.lines import has_lines, split_lines
from feeds.adapters.betfair.translation.roles import role_of
from feeds.toolkit.asian_results import asian_result
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import MarketDefinition, SelectionDefinition
from oddsengine.domain.ids import EventId, SelectionKey, event_id, line_text, market_id
from oddsengine.domain.market_types import MARKET_TYPES
from oddsengine.domain.results import VOID, dead_heat

if TYPE_CHECKING:
    from feeds.adapters.betfair.messages import CatalogueMarket, Definition, RunnerDefinition
    from feeds.adapters.betfair.translation.kinds import Kind
    from oddsengine.domain.results import SelectionResult
    from oddsengine.domain.taxonomy import MarketStatus, SelectionStatus

#: Betfair event types with a sport in the domain; others are published as `betfair-<id>`.
SPORTS: Final[dict[str, str]] = {
    "1": "football",
    "2": "tennis",
    "3": "golf",
    "4": "cricket",
    "5": "rugby_union",
    "6": "boxing",
    "7": "horse_racing",
    "8": "motor_sport",
    "1477": "rugby_league",
    "3503": "darts",
    "4339": "greyhound_racing",
    "6422": "snooker",
    "6423": "american_football",
    "7511": "baseball",
    "7522": "basketball",
    "7524": "ice_hockey",
    "26420387": "mixed_martial_arts",
}
#: Sports whose events are whole meetings, with several markets of one type.
_RACING: Final = frozenset({"7", "4339"})
#: Sports whose match odds have a draw: without its runner they lack an outcome, and are not a market without a draw.
_WITH_DRAW: Final = frozenset({"1"})

DRAW: Final = 58805
#: Betting types of markets that hold several lines.
_ASIAN: Final = frozenset({"ASIAN_HANDICAP_DOUBLE_LINE", "ASIAN_HANDICAP_SINGLE_LINE"})

_MARKET_STATUS: Final[dict[str, MarketStatus]] = {
    "OPEN": "open",
    "SUSPENDED": "suspended",
    "INACTIVE": "suspended",
    "CLOSED": "closed",
}
_RUNNER_STATUS: Final[dict[str, SelectionStatus]] = {
    "ACTIVE": "active",
    "REMOVED": "removed",
    "REMOVED_VACANT": "removed",
    "HIDDEN": "removed",
    "WINNER": "winner",
    "LOSER": "loser",
    "PLACED": "placed",
}
#: Bets on these are void: stakes are returned, or matched at 1.0 where a hidden runner may yet be entered (Betting API, type
#: definitions, RunnerStatus). A runner that is reinstated has no result any more.
_VOID: Final = frozenset({"REMOVED", "REMOVED_VACANT", "HIDDEN"})

#: Types of which every selection wins or loses on its own, whatever number of winners Betfair states.
_INDEPENDENT: Final = frozenset(
    {
        "anytime_goalscorer", "two_or_more_goals", "player_hat_trick", "player_carded", "player_shots_on_target",
        "player_runs_at_least", "total_at_least", "team_total_at_least", "goalscorer_and_result", "each_way",
    }
)  # fmt: skip


def runner_ref(runner_id: int, handicap: float) -> str:
    """Return a runner's id in updates: `47972`, with a handicap `47972@-0.25`."""
    return f"{runner_id}@{line_text(handicap)}" if handicap else str(runner_id)


def market_status(status: str) -> MarketStatus:
    """Translate a market status; an unknown one may mean anything, so it suspends."""
    return _MARKET_STATUS.get(status, "suspended")


def to_event(source: str, definition: Definition, *, in_play: bool, names: CatalogueMarket | None = None) -> Event:
    """Translate what a definition holds of its event; names come from the catalogue, because the stream lacks them."""
    sport = SPORTS.get(definition.event_type_id, f"betfair-{definition.event_type_id or 'unknown'}")
    extra = definition.simulated
    event_name = names.event.name if names is not None and names.event is not None else definition.event_name
    if names is not None and names.competition is not None:
        competition = Competition(f"{source}.{names.competition.id}", names.competition.name)
    elif extra is not None:
        competition = Competition(f"{source}.{extra.competition_id}", extra.competition_name)
    else:
        place = definition.venue or definition.country_code or "unknown"
        competition = Competition(f"{source}.{sport}.{place.lower().replace(' ', '_')}", place)
    return Event(
        id=event_id(source, definition.event_id),
        sport=sport,
        competition=competition,
        name=event_name or f"Event {definition.event_id}",
        participants=_participants(event_name),
        start_ms=_time_ms(definition.open_date or definition.market_time),
        in_play=in_play,
        score=extra.score if extra else None,
        clock=extra.clock if extra else None,
    )


def to_markets(
    source: str, market: str, definition: Definition, names: CatalogueMarket | None = None
) -> list[tuple[str, MarketDefinition]]:
    """Translate a complete definition to its market, or one market per line, with the source's ids."""
    whole = to_market(source, market, definition, names)
    if not has_lines(whole):
        return [(market, whole)]
    event_name = names.event.name if names is not None and names.event is not None else definition.event_name
    sides = _participants(event_name)
    first = whole.selections[0].name
    away_first = first == sides[1] if first in sides else bool(event_name and " @ " in event_name)
    return split_lines(market, whole, sides, away_first=away_first)


def to_market(source: str, market: str, definition: Definition, names: CatalogueMarket | None = None) -> MarketDefinition:
    """Translate a complete definition: type, period, line, roles and statuses."""
    runners = sorted(definition.runners, key=lambda runner: runner.sortPriority)
    kind = kind_of(definition.market_type)
    has_draw = any(runner.id == DRAW for runner in runners) or definition.event_type_id in _WITH_DRAW
    if kind.type == "match_odds" and kind.unit is None and not has_draw:
        kind = kind._replace(type="moneyline")
    if kind.type == "handicap" and definition.betting_type == "ASIAN_HANDICAP_DOUBLE_LINE":
        # The handicap of the event, with all its lines; its other handicaps have types of their own.
        kind = kind._replace(type="asian_handicap", many=kind.many and definition.market_type != "HANDICAP")
    event = event_id(source, definition.event_id)
    event_name = names.event.name if names is not None and names.event is not None else definition.event_name
    named = [(names.runner_name(each.id, each.hc or 0.0) if names is not None else None) or each.name for each in runners]
    roles = _roles(kind, runners, named, event_name)
    results = _results(kind, runners, definition)
    return MarketDefinition(
        id=market_id(event, *_id_parts(kind, market, definition)),
        event=event,
        type=kind.type,
        period=kind.period,
        line=kind.line,
        unit=kind.unit,
        winners=_winners(definition, kind),
        name=((names.market_name if names is not None else "") or definition.name or "") if kind.many else "",
        status=market_status(definition.status),
        in_play=definition.in_play,
        counts_all_goals=kind.type == "asian_handicap",
        bet_delay_s=definition.bet_delay or None,
        # `openDate` is the event's start, `marketTime` the market's own: a race's in its meeting.
        start_ms=None if definition.market_time == definition.open_date else _time_ms(definition.market_time),
        selections=tuple(
            SelectionDefinition(
                source_id=runner_ref(runner.id, runner.hc or 0.0),
                key=key,
                name=name or fallback,
                status=_RUNNER_STATUS.get(runner.status, "suspended"),
                handicap=runner.hc or 0.0,
                result=result,
            )
            for runner, name, (key, fallback), result in zip(runners, named, roles, results, strict=True)
        ),
    )


def _id_parts(kind: Kind, market: str, definition: Definition) -> tuple[str, ...]:
    name = kind.type if kind.unit is None else f"{kind.type}_{kind.unit}"
    if kind.many or (kind.type in {"winner", "place"} and definition.event_type_id in _RACING):
        return (name, market)
    if kind.line is not None:
        return (name, kind.period or "ft", line_text(kind.line))
    if kind.type == "asian_handicap":
        return (name, kind.period or "ft")
    return (name, kind.period if kind.period and kind.period != "ft" else "")


def _winners(definition: Definition, kind: Kind) -> int:
    """Return the number of winners; 0 where no such number exists (each way, lines, ranges), so that none is assumed.

    Betfair states 0 for Asian handicaps, because their bets may be split or returned; of every line one side wins.
    """
    if definition.market_type == "EACH_WAY" or definition.betting_type in {"LINE", "RANGE"}:
        return 0
    if kind.type == "asian_handicap" and kind.line is None:
        return 1
    # Of these, lines whose sides can't be distinguished: totals of several lines, and "at least n".
    if definition.betting_type in _ASIAN or kind.type in _INDEPENDENT:
        return 0
    return max(definition.number_of_winners, 0)


def _results(kind: Kind, runners: list[RunnerDefinition], definition: Definition) -> list[SelectionResult | None]:
    """Return what is known of each runner's result beyond its status: void, dead heat, half won and half lost.

    The stream names neither factor. A dead heat shows as more winners than the market has; of an Asian line the statuses of the
    lines around it say how much of it is won.
    """
    winners = sum(runner.status == "WINNER" for runner in runners)
    lines: dict[int, dict[float, SelectionStatus]] = {}
    is_asian = kind.type == "asian_handicap" and kind.line is None
    if is_asian:
        for runner in runners:
            lines.setdefault(runner.id, {})[runner.hc or 0.0] = _RUNNER_STATUS.get(runner.status, "suspended")
    results: list[SelectionResult | None] = []
    for runner in runners:
        if runner.status in _VOID:
            results.append(VOID)
        elif is_asian:
            results.append(asian_result(runner.hc or 0.0, lines[runner.id]))
        elif runner.status == "WINNER" and winners > 1 and definition.betting_type == "ODDS" and kind.type not in _INDEPENDENT:
            results.append(dead_heat(winners, _winners(definition, kind)))
        else:
            results.append(None)
    return results


def _roles(
    kind: Kind, runners: list[RunnerDefinition], named: list[str | None], event_name: str | None
) -> list[tuple[SelectionKey, str]]:
    by_id = [(SelectionKey(runner_ref(runner.id, runner.hc or 0.0)), f"Runner {runner.id}") for runner in runners]
    roles = MARKET_TYPES[kind.type].roles.split()
    if any(runner.hc for runner in runners) or not roles:
        return by_id
    names = _participants(event_name) or ("Home", "Away")
    words = {"home": names[0], "away": names[1], "draw": "The Draw", "yes": "Yes", "no": "No"}
    if kind.line is not None:
        words |= {side: f"{side.title()} {kind.line:g} {kind.unit or 'goals'}" for side in ("under", "over")}
    keys = ["draw" if runner.id == DRAW else role_of(name, names) for runner, name in zip(runners, named, strict=True)]
    if not set(keys) <= set(roles):
        # Without names, the order that Betfair keeps.
        if set(roles) <= {"home", "draw", "away"}:
            teams = iter(["away", "home"] if event_name and " @ " in event_name else ["home", "away"])
            keys = ["draw" if runner.id == DRAW else next(teams, "") for runner in runners]
        elif roles in (["under", "over"], ["yes", "no"]):
            keys = list(roles)
        else:
            return by_id
    if len(keys) != len(runners) or len(set(keys)) != len(keys) or "" in keys:
        return by_id
    return [(SelectionKey(key), words.get(key, key.replace("_", " ").title())) for key in keys]


def _participants(event_name: str | None) -> tuple[str, ...]:
    """Parse the two sides of an event's name, home first; Betfair writes `Home v Away`, and `Away @ Home` for US sports."""
    for separator, away_first in ((" v ", False), (" vs ", False), (" @ ", True)):
        if event_name and separator in event_name:
            first, _, second = event_name.partition(separator)
            return (second.strip(), first.strip()) if away_first else (first.strip(), second.strip())
    return ()


def _time_ms(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None


def event_of(source: str, definition: Definition) -> EventId:
    """Return the id of the event that a definition belongs to."""
    return event_id(source, definition.event_id)
