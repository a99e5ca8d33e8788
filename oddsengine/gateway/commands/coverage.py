"""The markets that a command holds for now, and what in it may be a mistake: a name that nothing on offer has, most of all."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from rapidfuzz import process

from oddsengine.commands.selections import impossible_selection, named_selections
from oddsengine.commands.validation import BadCommand
from oddsengine.common.excerpts import echoed
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.gateway.commands.answers import Coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oddsengine.commands.command import Command
    from oddsengine.domain.changes import MarketRecord
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.state.replica import Replica
    from oddsengine.offer.change_index import EventEntry
    from oddsengine.offer.replica_offer import LazyMarket

#: The actions that are about events themselves, under the ids of their feeds.
_OF_PAIRS: Final = frozenset({"match", "unmatch"})
#: How similar a name on offer must be to be suggested, out of 100.
_SIMILAR: Final = 70.0
_LISTED: Final = 5


def require_possible(command: Command, replica: Replica) -> None:
    """Check that some market may have the selections that a command names.

    Raises:
        BadCommand: if none can.
    """
    record = _market(command, replica)
    if record is not None and record.selections.keys() >= set(named_selections(command)):
        return
    problem = impossible_selection(command, None if record is None else record.identity.type)
    if problem is not None:
        raise BadCommand(problem)


def coverage_of(command: Command, replica: Replica, access: Access) -> Coverage | None:
    """Return how much a command holds for now; None for one about a pair of events.

    Args:
        command: the command.
        replica: what is on offer.
        access: whose command it is: nothing that it may not see is suggested.
    """
    if command.action in _OF_PAIRS:
        return None
    markets = list(_covered(command, replica))
    warnings = list(_warnings(command, replica, access, markets))
    return Coverage(len({each.identity.event for each in markets}), len(markets), tuple(warnings))


def _market(command: Command, replica: Replica) -> MarketRecord | None:
    """Return the only market of a command, None if it is not of one that is on offer."""
    market, event = command.scope.market_id, command.scope.event_id
    return None if market is None or event is None else replica.offers[replica.shard_of(event)].market(market)


def _entries(command: Command, replica: Replica) -> Iterable[EventEntry[LazyMarket]]:
    """Return the events of a command's scope that are on offer."""
    scope = command.scope
    if scope.event_id is not None:
        entry = replica.offers[replica.shard_of(scope.event_id)].events.get(EventId(scope.event_id))
        return () if entry is None else (entry,)
    if scope.all:
        return replica.events()
    name = f"{scope.kind}:{scope.key}"
    return (entry for entry in replica.events() if name in {entry.sport, entry.competition})


def _covered(command: Command, replica: Replica) -> Iterator[MarketRecord]:
    scope, only, key = command.scope, command.scope.market_id, command.scope.selection_key
    for entry in _entries(command, replica):
        begun = entry.record.progress.in_play
        for held in entry.markets.values():
            record = held.record
            if (only is not None and record.id != only) or (scope.types and record.identity.type not in scope.types):
                continue
            if key is not None and key not in record.selections:
                continue
            in_play = begun or record.state.in_play
            if (scope.in_play is None or scope.in_play == in_play) and not (command.until_kick_off and in_play):
                yield record


def _warnings(command: Command, replica: Replica, access: Access, markets: list[MarketRecord]) -> Iterator[str]:
    unknown = _unknown(command, replica, access)
    if unknown is not None:
        yield f"{unknown}: it holds for what comes"
        return
    if not markets:
        yield f"no market on offer in this scope {_narrowing(command)}now: it holds for those that come"
        return
    keys = dict.fromkeys(chain.from_iterable(each.selections for each in markets))
    for key in named_selections(command):
        if key not in keys:
            known = {name: name for name in keys}
            close = _suggestion(key, known)
            yield f"no market of this scope has a selection {echoed(key)} now{close}: it holds for those that come"
    if command.action == "price" and len(markets) > 1:
        listed = ", ".join(each.id for each in markets[:_LISTED])
        more = f" and {len(markets) - _LISTED} more" if len(markets) > _LISTED else ""
        yield f"{len(markets)} markets have this price: {listed}{more}"


def _narrowing(command: Command) -> str:
    scope = command.scope
    types = f"is of the type {' or '.join(scope.types)} " if scope.types else ""
    in_play = {None: "", True: "is in play ", False: "is before its start "}[scope.in_play]
    if command.until_kick_off and scope.in_play is None:
        in_play = "is before its start "
    return f"{types}{'and ' if types and in_play else ''}{in_play}"


def _unknown(command: Command, replica: Replica, access: Access) -> str | None:
    """Return what the scope names that is not on offer, with the most similar name that is."""
    scope = command.scope
    event, market, key = scope.event_id, scope.market_id, scope.selection_key
    entry = next(iter(_entries(command, replica)), None)
    if entry is None:
        if scope.all:
            return None
        kind, name = ("event", event) if event is not None else (scope.kind, scope.key)
        under = " under this id" if event is not None else ""
        return f"the {kind} {echoed(name)} is not on offer{under}{_suggestion(name, _seen(replica, access, kind))}"
    if market is None:
        return None
    record = entry.markets.get(MarketId(market))
    if record is None:
        return (
            f"the market {echoed(market)} is not on offer{_suggestion(market, {str(each): str(each) for each in entry.markets})}"
        )
    if key is None or key in record.selections:
        return None
    known = {name: key for key, each in record.selections.items() for name in (key, each.name)}
    return f"the market has no selection {echoed(key)} now{_suggestion(key, known)}"


def _seen(replica: Replica, access: Access, kind: str) -> dict[str, str]:
    """Return the sports, competitions or events that somebody may see: id or name -> id."""
    found: dict[str, str] = {}
    for entry in replica.events():
        if not any(access.may_subscribe(channel) for channel in entry.channels):
            continue
        description = entry.record.description
        if kind == "sport":
            found[description.sport] = description.sport
        elif kind == "competition":
            found[description.competition.id] = found[description.competition.name] = description.competition.id
        else:
            found[entry.record.id] = found[description.name] = entry.record.id
    return found


def _suggestion(name: str, known: dict[str, str]) -> str:
    """Return a question for the most similar known name; empty if none is similar."""
    found = process.extractOne(name, known.keys(), score_cutoff=_SIMILAR)
    return "" if found is None else f" (did you mean {known[found[0]]!r}?)"
