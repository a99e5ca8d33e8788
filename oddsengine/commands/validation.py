"""Checks of what a person asks for, before it becomes a command. Every error says what is allowed."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, get_args

import msgspec
from msgspec import Meta

from oddsengine.commands.command import ACTIONS, EVERY_PROFILE, SCOPE_KINDS, Action, Command, Scope, ScopeKind, Values
from oddsengine.common.excerpts import echoed
from oddsengine.common.times.reading import parse_time
from oddsengine.domain.results import Outcome
from oddsengine.domain.taxonomy import MarketType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: The longest id, key or name.
MAX_TEXT: Final = 200
MAX_REASON: Final = 500
MAX_VALUES: Final = 500
MAX_TYPES: Final = 50
#: A command may be made for so long.
MAX_EXPIRY_S: Final = 366 * 86_400
KICK_OFF: Final = "kick_off"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII)
_OUTCOMES: Final[tuple[str, ...]] = get_args(Outcome)
_TYPES: Final[tuple[str, ...]] = get_args(MarketType)
_NARROW: Final[tuple[ScopeKind, ...]] = ("event", "market", "selection")


class _Range(NamedTuple):
    """The numbers an action may set, and what they are."""

    low: float
    high: float
    what: str


#: The actions that set one number for the whole scope.
_NUMBERS: Final[dict[str, _Range]] = {
    "book_sum": _Range(1.0, 3.0, "the sum of inverse odds per winner"),
    "limit": _Range(0.0, 1e12, "the greatest stake"),
    "bet_delay_s": _Range(0.0, 600.0, "seconds"),
}
#: The actions that set a number for each selection.
_BY_SELECTION: Final[dict[str, _Range]] = {
    "price": _Range(1.001, 1e6, "decimal odds"),
    "shift": _Range(-0.5, 0.5, "the share by which a fair probability is raised"),
}
#: The scopes of the actions that are not for all of them.
_SCOPES: Final[dict[str, tuple[ScopeKind, ...]]] = {
    "price": _NARROW,
    "shift": _NARROW,
    "result": ("event", "market"),
    "unresult": ("event", "market"),
    "match": ("event",),
    "unmatch": ("event",),
    "book_sum": tuple(kind for kind in SCOPE_KINDS if kind != "selection"),
    "limit": tuple(kind for kind in SCOPE_KINDS if kind != "selection"),
    "bet_delay_s": tuple(kind for kind in SCOPE_KINDS if kind != "selection"),
}
#: The actions that hold in every profile or in none.
UNDIVIDED: Final = frozenset({"result", "unresult", "match", "unmatch"})


class BadCommand(Exception):
    """A request that makes no command, with the reason and what is allowed."""


class CommandRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/commands`.

    `expires` is `kick_off`, a time as RFC 3339, a number of seconds from now, or null: until it is lifted.
    """

    action: str
    scope: dict[str, Any]
    values: Values = None
    reason: Annotated[str, Meta(max_length=MAX_REASON)] = ""
    expires: str | float | None = None
    force: bool = False


_FIELDS: Final = tuple(CommandRequest.__struct_fields__)
_SCOPE_FIELDS: Final = tuple(Scope.__struct_fields__)
_decode: Final = msgspec.json.Decoder(CommandRequest).decode


def decode_request(body: bytes) -> CommandRequest:
    """Decode a request. Raises BadCommand."""
    try:
        return _decode(body)
    except RecursionError:
        raise BadCommand("nested too deeply") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise BadCommand(f"{error}; the fields are {', '.join(_FIELDS)}") from None


def command_of(request: CommandRequest, key: str, author: str, now_ms: int, profiles: Sequence[str] = ()) -> Command:
    """Return the command that a request makes.

    Args:
        request: the request.
        key: the id of the command.
        author: who makes it.
        now_ms: Unix milliseconds, by the world's clock.
        profiles: the published profiles; empty where they are not known.

    Raises:
        BadCommand: if it makes none.
    """
    action = _action(request.action)
    scope = _scope(request.scope, profiles)
    allowed = _SCOPES.get(action, SCOPE_KINDS)
    if scope.kind not in allowed:
        raise BadCommand(f"{action} is for {_one_of(allowed)}, not for {scope.kind}")
    if action in UNDIVIDED and scope.profiles != EVERY_PROFILE:
        raise BadCommand(f"{action} holds in all profiles: leave scope.profiles out")
    if action == "price" and scope.kind == "event" and len(scope.types) != 1:
        raise BadCommand(
            'price of a whole event is for markets of one type: name it in scope.types, as in ["match_odds"], or name a market'
        )
    if action == "note" and not request.reason:
        raise BadCommand("note is nothing without its text: give it as reason")
    values = _values(action, scope, request.values)
    if request.force and action != "price":
        raise BadCommand("force is for price only")
    expires_ms, until_kick_off = _expiry(request.expires, now_ms)
    if until_kick_off and action in {"match", "unmatch"}:
        raise BadCommand(f"{action} ends at a time, after seconds, or when it is lifted, not at the kick-off")
    return Command(
        id=key,
        author=author,
        action=action,
        scope=scope,
        created_ms=now_ms,
        values=values,
        reason=_text("reason", request.reason, MAX_REASON) if request.reason else "",
        expires_ms=expires_ms,
        until_kick_off=until_kick_off,
        force=request.force,
    )


def _action(name: str) -> Action:
    for action in ACTIONS:
        if action == name:
            return action
    raise BadCommand(f"unknown action {echoed(name)}; the actions are {', '.join(ACTIONS)}{_suggestion(name, ACTIONS)}")


def _scope(given: Mapping[str, Any], profiles: Sequence[str]) -> Scope:
    for name in given:
        if name not in _SCOPE_FIELDS:
            raise BadCommand(
                f"unknown key {echoed(name)} of scope; the keys are {', '.join(_SCOPE_FIELDS)}{_suggestion(name, _SCOPE_FIELDS)}"
            )
    for name in given.get("types", ()) if isinstance(given.get("types"), list) else ():
        if name not in _TYPES:
            close = _suggestion(str(name), _TYPES) or f"; there are {', '.join(_TYPES[:5])} and others, see docs/market-types.md"
            raise BadCommand(f"unknown market type {echoed(name)} in scope.types{close}")
    try:
        scope = msgspec.convert(given, Scope)
    except msgspec.ValidationError as error:
        raise BadCommand(f"scope: {error}") from None
    named = [kind for kind in SCOPE_KINDS if given.get(kind) not in {None, False}]
    if len(named) != 1:
        found = f"has {' and '.join(named)}" if named else "has none of them"
        raise BadCommand(f"scope needs exactly one of {_one_of(SCOPE_KINDS)} and {found}")
    if named[0] != "all":
        _text(f"scope.{named[0]}", scope.key, MAX_TEXT)
    if scope.market is not None and "/" not in scope.market:
        raise BadCommand(f"{echoed(scope.market)} is not the id of a market, as in betfair.29283412/match_odds")
    if scope.selection is not None and scope.selection.count("/") < 2:  # noqa: PLR2004 - event/market/selection
        raise BadCommand(
            f"{echoed(scope.selection)} is not a selection: write the id of its market, a slash and its key, "
            "as in betfair.29283412/match_odds/home"
        )
    if len(scope.types) > MAX_TYPES:
        raise BadCommand(f"scope.types has {len(scope.types)} types, at most {MAX_TYPES} are allowed")
    return _with_profiles(scope, profiles)


def _with_profiles(scope: Scope, profiles: Sequence[str]) -> Scope:
    if not scope.profiles or "*" in scope.profiles:
        return msgspec.structs.replace(scope, profiles=EVERY_PROFILE)
    for name in scope.profiles:
        if profiles and name not in profiles:
            raise BadCommand(f"unknown profile {echoed(name)}; the profiles are {', '.join(profiles)}, or * for all")
        _text("scope.profiles", name, MAX_TEXT)
    return msgspec.structs.replace(scope, profiles=tuple(dict.fromkeys(scope.profiles)))


def _values(action: Action, scope: Scope, values: Values) -> Values:
    """Return the values of an action in the one way they are stored."""
    if action in _NUMBERS:
        if isinstance(values, dict) and list(values) == [action]:
            values = values[action]
        return _number("values", values, _NUMBERS[action])
    if action in _BY_SELECTION:
        return _numbers_by_selection(action, scope, values)
    if action == "result":
        return _results(scope, values)
    if action in {"match", "unmatch"}:
        if not isinstance(values, str):
            raise BadCommand(f"values of {action} is the id of the other event, not {echoed(values)}")
        if values.partition(".")[0] == (scope.event or "").partition(".")[0]:
            raise BadCommand(f"values of {action} is the id of an event of another feed, not {echoed(values)}")
        return _text("values", values, MAX_TEXT)
    if values is not None:
        raise BadCommand(f"{action} has no values")
    return None


def _numbers_by_selection(action: str, scope: Scope, values: Values) -> Values:
    allowed, key = _BY_SELECTION[action], scope.selection_key
    if key is not None:
        if isinstance(values, dict) and list(values) == [key]:
            values = values[key]
        return _number("values", values, allowed)
    if not isinstance(values, dict) or not values:
        raise BadCommand(
            f'values of {action} says {allowed.what} for each selection, as in {{"home": 0.02}}, not {echoed(values)}'
        )
    _check_size(values)
    return {_text("values", name, MAX_TEXT): _number(f"values.{name}", each, allowed) for name, each in values.items()}


def _results(scope: Scope, values: Values) -> Values:
    if values == "void":
        return values
    if scope.kind == "event":
        raise BadCommand(f'values of the result of a whole event is "void", not {echoed(values)}')
    if not isinstance(values, dict) or not values:
        raise BadCommand(
            f'values of result is "void", or says the outcome of each selection ({_one_of(_OUTCOMES)}), not {echoed(values)}'
        )
    _check_size(values)
    for name, outcome in values.items():
        _text("values", name, MAX_TEXT)
        if outcome not in _OUTCOMES:
            raise BadCommand(f"values.{name} is {_one_of(_OUTCOMES)}, not {echoed(outcome)}")
    if not {"winner", "placed"} & set(values.values()):
        raise BadCommand('values of result names no winner: selections that it does not name lose; "void" gives all stakes back')
    return values


def _check_size(values: dict[str, Any]) -> None:
    if len(values) > MAX_VALUES:
        raise BadCommand(f"values has {len(values)} selections, at most {MAX_VALUES} are allowed")


def _number(name: str, value: Any, allowed: _Range) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not allowed.low <= value <= allowed.high:
        raise BadCommand(f"{name} is {allowed.what}, a number from {allowed.low:g} to {allowed.high:g}, not {echoed(value)}")
    return float(value)


def _expiry(expires: str | float | None, now_ms: int) -> tuple[int | None, bool]:
    """Return when a command ends, and whether at the kick-off."""
    if expires is None:
        return None, False
    if isinstance(expires, int | float):
        if not 0 < expires <= MAX_EXPIRY_S:
            raise BadCommand(f"expires in seconds is over 0 and at most {MAX_EXPIRY_S}, not {echoed(expires)}")
        return now_ms + max(1, round(expires * 1000)), False
    if expires == KICK_OFF:
        return None, True
    allowed = "kick_off, a time with its zone as in 2026-11-26T20:00:00Z, a number of seconds, or null"
    if not _TIME.fullmatch(expires):
        raise BadCommand(f"expires is {allowed}, not {echoed(expires)}")
    try:
        expires_ms = parse_time(expires)
    except (ValueError, OverflowError):
        raise BadCommand(f"expires is {allowed}, not {echoed(expires)}") from None
    if not now_ms < expires_ms <= now_ms + MAX_EXPIRY_S * 1000:
        now = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        raise BadCommand(f"expires {expires} is not within the year that follows {now}, the time of this server")
    return expires_ms, False


def _text(name: str, value: str, longest: int) -> str:
    if not value or len(value) > longest or not value.isprintable():
        raise BadCommand(f"{name} is 1 to {longest} printable characters, not {echoed(value)}")
    return value


def _one_of(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
