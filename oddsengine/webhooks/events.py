"""The events of webhooks, as they are written to the outbox and as they are sent."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oddsengine.common.clock import iso_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.commands.command import Command
    from oddsengine.domain.results import SelectionResult
    from oddsengine.webhooks.settings import EventKind

#: How many of the markets that guards have suspended an event names.
NAMED_MARKETS: Final = 20
_encode_body: Final = msgspec.json.Encoder().encode


class OutboxEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event in the outbox.

    Attributes:
        id: the same for every attempt, and for every other event that says the same: receivers drop duplicates by it.
        kind: what endpoints choose events by.
        type: of the event, such as `feed.down`.
        at_ms: when it was noted, Unix milliseconds.
        body: what is posted.
        threshold: of an event of guards, whose threshold it is.
    """

    id: str
    kind: str
    type: str
    at_ms: int
    body: bytes
    threshold: str = ""


def id_of(*parts: str) -> str:
    """Return the id of the event that is identified by these texts."""
    return f"msg_{hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]}"


def build_event(
    event_id: str, kind: EventKind, name: str, at_ms: int, data: Mapping[str, Any], threshold: str = ""
) -> OutboxEvent:
    """Build an event of a type, such as `feed.down`. Its body is as Standard Webhooks has it: type, timestamp and data."""
    body = _encode_body({"type": name, "timestamp": iso_time(at_ms, "milliseconds"), "data": data})
    return OutboxEvent(event_id, kind, name, at_ms, body, threshold)


def feed_event(event_id: str, status: Mapping[str, Any], at_ms: int, *, is_up: bool) -> OutboxEvent:
    """Build the event of a feed that has gone down or up, from its status."""
    data = {key: status.get(key) for key in ("feed", "sources", "state", "reason")}
    return build_event(event_id, "feeds", "feed.up" if is_up else "feed.down", at_ms, data)


def pair_event(event_id: str, pair: Mapping[str, Any], at_ms: int) -> OutboxEvent:
    """Build the event of a pair of events that may be the same, as `GET /v1/unmatched` shows it."""
    return build_event(event_id, "pairs", "pair.doubtful", at_ms, pair)


def command_event(command: Command, at_ms: int) -> OutboxEvent:
    """Build the event of a command's new state."""
    name = f"command.{command.last_step}"
    return build_event(id_of(name, command.id), "commands", name, at_ms, msgspec.to_builtins(command))


def result_event(event_id: str, market: str, results: Mapping[str, SelectionResult], at_ms: int) -> OutboxEvent:
    """Build the event of a market's results: all of them, as they are now; an outcome of None was taken back."""
    selections = {
        key: {
            "outcome": result.outcome,
            "void_factor": result.void_factor,
            "dead_heat_factor": result.dead_heat_factor,
        }
        for key, result in results.items()
    }
    data = {"market": market, "event": market.partition("/")[0], "selections": selections}
    return build_event(event_id, "results", "market.resulted", at_ms, data)
