"""Compares two events: by their names, the marks in them, their competitions and their starts.

The result is a match, a possible match or a non-match, with a score from 0 to 1 and reasons. Whether a match by itself is merged
also depends on the other events that the feeds list (`assignment`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from oddsengine.domain.events import Event
from oddsengine.sourcing.matching.names.competitions import CompetitionKind, competition_kind
from oddsengine.sourcing.matching.names.nicknames import INDIVIDUAL
from oddsengine.sourcing.matching.names.normaliser import Name, letter_mark
from oddsengine.sourcing.matching.names.places import is_shared_town
from oddsengine.sourcing.matching.names.score import Limit, begins_word, name_score

if TYPE_CHECKING:
    from oddsengine.sourcing.matching.names.normaliser import NameNormaliser
    from oddsengine.sourcing.matching.settings import MatchingSettings

Decision = Literal["match", "possible_match", "non_match"]

#: Starts within this time count as equal.
NEAR_MS: Final = 15 * 60_000
#: Starts further apart than this may be two matches of one pair on a day: never certain.
_SAME_START_MS: Final = 60 * 60_000
#: The same in sports of short matches, and for simulated ones, which last a few minutes.
_SHORT_SPORTS: Final = frozenset({"table_tennis", "darts", "pool"})
_SIMULATED_SAME_START_MS: Final = 5 * 60_000
#: What a difference of the starts costs at `_SAME_START_MS`, and at the edge of the window.
_LATER_COST: Final = 0.15
_FAR_COST: Final = 0.25
_UNKNOWN_START_COST: Final = 0.1
#: A side with this score makes its opponent likely, because a team plays one match at a time.
_CERTAIN: Final = 0.95
#: Score of two names that both leave out the other's town.
_BOTH_OMIT: Final = 0.88
#: Lowest score of either side of a match.
_LOWEST_SIDE: Final = 0.6
_ORDER: Final[dict[str, int]] = {"match": 0, "possible_match": 1, "non_match": 2}
#: What stands between the sides in an event's name, the clearest first.
_VERSUS: Final = (
    re.compile(r"\s+(?:v|vs|vs\.)\s+"),
    re.compile(r"\s+(?:v|vs|vs\.|@)\s+", re.IGNORECASE),
    re.compile(r"\s+[-\u2013\u2014]\s+"),
)
_SIDES: Final = 2


class EventProfile(NamedTuple):
    """The features that an event is compared by."""

    event: Event
    names: tuple[Name, ...]
    kind: CompetitionKind


class Comparison(NamedTuple):
    """Whether two events are the same, whether their participants are in reverse order, and why."""

    decision: Decision
    score: float
    swapped: bool = False
    why: tuple[str, ...] = ()
    #: how far apart the starts are, None where one is unknown
    gap_ms: int | None = None
    #: whether something rules out that they are the same, however alike their names are
    vetoed: bool = False


def participants_of(event: Event) -> tuple[str, ...]:
    """Return the participants of an event, from its name where it lists none."""
    if event.participants:
        return event.participants
    for versus in _VERSUS:
        sides = tuple(versus.split(event.name))
        if len(sides) == _SIDES:
            return sides
    return (event.name,)


def profile(event: Event, names: NameNormaliser) -> EventProfile:
    """Return what an event is compared by."""
    return EventProfile(
        event,
        tuple(names.normalise(name, event.sport) for name in participants_of(event)),
        competition_kind(event.competition.name),
    )


def compare(one: EventProfile, other: EventProfile, settings: MatchingSettings) -> Comparison:
    """Compare two events of one sport."""
    if len(one.names) != len(other.names) or not one.names:
        return Comparison("non_match", 0.0, why=("they have different numbers of participants",))
    straight = _compare_sides(one, other, other.names)
    reverse = _compare_sides(one, other, other.names[::-1]) if len(other.names) == _SIDES else straight
    swapped = (_ORDER[reverse.limit], -reverse.score) < (_ORDER[straight.limit], -straight.score)
    sides = reverse if swapped else straight
    limits: list[tuple[Limit, str]] = [(sides.limit, why) for why in sides.why]
    limits += _competitions(one, other)
    cost, gap_ms = 0.0, None
    start, other_start = one.event.start_ms, other.event.start_ms
    if start is None or other_start is None:
        cost = _UNKNOWN_START_COST
    else:
        gap_ms = abs(start - other_start)
        cost = _start_cost(gap_ms, settings.window_min * 60_000)
        minutes = gap_ms / 60_000
        if gap_ms > settings.window_min * 60_000:
            limits.append(("non_match", f"the starts are {minutes:g} minutes apart"))
        elif gap_ms > _same_start_ms(one, other):
            limits.append(("possible_match", f"the starts are {minutes:g} minutes apart: it may be another match of the pair"))
        if sides.needs_start and gap_ms > NEAR_MS:
            limits.append(("possible_match", f"{sides.needs_start}, and the starts differ"))
    score = max(0.0, sides.score - cost)
    vetoed = any(limit == "non_match" for limit, _ in limits)
    decision: Decision = (
        "match" if score >= settings.merge_threshold else "possible_match" if score >= settings.review_threshold else "non_match"
    )
    if decision != "match":
        limits.append((decision, f"the names{' and starts' if cost else ''} score {score:.2f}"))
    decision = max((decision, *(limit for limit, _ in limits)), key=_ORDER.__getitem__)
    why = [reason for limit, reason in limits if reason and _ORDER[limit] >= _ORDER[decision]]
    if decision == "match":
        why = ["the names and starts agree" + (", home and away are swapped" if swapped else "")]
    return Comparison(decision, score, swapped, tuple(dict.fromkeys(why)), gap_ms, vetoed)


class _Sides(NamedTuple):
    score: float
    limit: Limit
    why: tuple[str, ...]
    #: why the two are the same only if they start together, empty if they need not
    needs_start: str = ""


def _compare_sides(one: EventProfile, other: EventProfile, names: tuple[Name, ...]) -> _Sides:
    scores: list[float] = []
    limits: list[tuple[Limit, str]] = []
    omitting: list[str] = []
    for left, right in zip(one.names, names, strict=True):
        scored = name_score(left, right)
        scores.append(scored.score)
        limits.append(_marks_limit(left, right, one, other))
        if scored.omits:
            omitting.append(scored.why)
        else:
            limits.append((scored.limit, scored.why))
        if left.words != right.words:
            towns = [each for each in (left, right) if not each.letter and is_shared_town(" ".join(each.words), one.event.sport)]
            limits += [("possible_match", f"{' '.join(town.words)} has several teams") for town in towns]
    are_players = all(name.is_person for name in one.names)
    # One side that is the same makes the other likely; so do two that leave out their towns.
    if omitting and not are_players and len(omitting) < _SIDES and max(scores) < _CERTAIN:
        limits += [("possible_match", why) for why in omitting]
    score = _sides_score(scores) if len(omitting) < _SIDES else max(_sides_score(scores), _BOTH_OMIT)
    if min(scores) < _LOWEST_SIDE:
        limits.append(("possible_match", "one side is not like the other's"))
    limit = max((limit for limit, _ in limits), key=_ORDER.__getitem__)
    return _Sides(score, limit, tuple(why for each, why in limits if each == limit and why), omitting[0] if omitting else "")


def _sides_score(scores: list[float]) -> float:
    """Combine the scores of the sides. The lower one counts most, unless the other is certain."""
    worst, best = min(scores), max(scores)
    if best >= _CERTAIN:
        return 0.4 * worst + 0.6 * best
    return 0.85 * worst + 0.15 * best


def _same_start_ms(one: EventProfile, other: EventProfile) -> int:
    """Return how far apart the starts of one match may be, before it may be the pair's next."""
    marks = one.kind.marks | other.kind.marks
    marks = marks.union(*(name.marks for name in (*one.names, *other.names)))
    if "simulated" in marks or any(mark.startswith("(") for mark in marks):
        return _SIMULATED_SAME_START_MS
    return NEAR_MS if one.event.sport in _SHORT_SPORTS else _SAME_START_MS


def _start_cost(gap_ms: float, window_ms: float) -> float:
    if gap_ms <= NEAR_MS:
        return 0.0
    if gap_ms <= _SAME_START_MS:
        return _LATER_COST * (gap_ms - NEAR_MS) / (_SAME_START_MS - NEAR_MS)
    beyond = min(1.0, (gap_ms - _SAME_START_MS) / max(window_ms - _SAME_START_MS, 1.0))
    return _LATER_COST + (_FAR_COST - _LATER_COST) * beyond


def _marks_limit(left: Name, right: Name, one: EventProfile, other: EventProfile) -> tuple[Limit, str]:
    """Compare the marks of two names, to which those of their competitions are added."""
    left_marks, right_marks = _marks(left, right, one), _marks(right, left, other)
    differing = left_marks ^ right_marks
    ages = {mark for mark in differing if mark.startswith("youth")}
    if ages and "youth" in ages and any(mark.startswith("youth") for mark in left_marks & right_marks | ages - {"youth"}):
        # One side says how old they are at most, and the other only that they are young.
        differing -= ages
        if not differing:
            return "possible_match", f"only one side says which age: {', '.join(sorted(ages))}"
    if not differing:
        return "match", ""
    text = f"only one of them is {', '.join(sorted(differing))}"
    if all(mark.startswith("(") for mark in differing):
        return "possible_match", text
    from_competition = {*one.kind.marks, *other.kind.marks} - left.marks - right.marks
    lacking = other if differing & left_marks else one
    if differing <= from_competition and not lacking.kind.is_known:
        return "possible_match", f"{text} by its competition, and the other's says nothing"
    return "non_match", text


def _marks(name: Name, opposite: Name, event: EventProfile) -> frozenset[str]:
    marks = name.marks
    if name.letter and letter_mark(name.letter) and not begins_word(name.letter, opposite, name):
        marks |= {letter_mark(name.letter)}
    if event.event.sport in INDIVIDUAL:
        return marks
    if event.event.sport == "esports":
        return marks | (event.kind.marks - {"simulated"})
    if any(mark.startswith("youth ") for mark in marks):
        return marks | {mark for mark in event.kind.marks if not mark.startswith("youth")}
    return marks | event.kind.marks


def _competitions(one: EventProfile, other: EventProfile) -> list[tuple[Limit, str]]:
    """Return what two competitions rule out."""
    left, right = one.kind, other.kind
    if not left.is_known or not right.is_known:
        return []
    limits: list[tuple[Limit, str]] = []
    if left.circuit and right.circuit and left.circuit != right.circuit:
        limits.append(("non_match", f"{left.circuit} is not {right.circuit}"))
    if left.form and right.form and left.form != right.form:
        limits.append(("non_match", f"{left.form} is not {right.form}"))
    sport = one.event.sport
    if sport == "esports" and left.game and right.game and left.game != right.game:
        limits.append(("non_match", f"{left.game} is not {right.game}"))
    if sport == "football" and left.contest and right.contest and left.contest != right.contest:
        limits.append(("possible_match", f"a match of the {left.contest} is not one of the {right.contest}"))
    if (left.male and "women" in right.marks) or (right.male and "women" in left.marks):
        limits.append(("non_match", "one competition is men's, the other women's"))
    is_one_country_s = left.countries and right.countries and sport not in INDIVIDUAL
    across = left.international or right.international or (left.circuit and left.circuit == right.circuit)
    if is_one_country_s and not across and not left.countries & right.countries:
        countries = (", ".join(sorted(kind.countries)) for kind in (left, right))
        limits.append(("non_match", f"competitions of {' and '.join(countries)}"))
    elif sport == "football" and not across and _are_of_other_countries(left, right):
        names = f"{one.event.competition.name} and {other.event.competition.name}"
        limits.append(("possible_match", f"{names} are not of one country"))
    return limits


def _are_of_other_countries(one: CompetitionKind, other: CompetitionKind) -> bool:
    """Check whether the leagues' names allow no country of both."""
    countries, others = one.league_countries, other.league_countries
    return bool(countries and others) and not countries & others
