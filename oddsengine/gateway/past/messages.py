"""Answers about the past, as types: markets of then, how they changed, and the steps of commands."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oddsengine.gateway.protocol.command_messages import CommandAnswer, Time
from oddsengine.gateway.protocol.explanation_messages import ExplanationAnswer
from oddsengine.gateway.protocol.server_messages import At, MarketWhole
from oddsengine.offer.entries.wire_types import MarketChanged

Cursor = Annotated[str, Meta(description="Ask for the next page with it; absent on the last one.")]


class MarketThenAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A market as the subscribers of a profile saw it at a time.

    `since` is since when it had looked like this, `v` aside, which changes of other profiles raise too; if `since_is_exact` is
    false, it may have for longer. `stale` is true where nothing had arrived of it for too long, so that subscribers saw it
    suspended. `position` is that of its shard.
    """

    at: Time
    since: Time
    since_is_exact: bool
    stale: bool
    position: At
    profile: str
    market: MarketWhole


class ExplanationThenAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The explanation of a market's prices at a time: `explanation` is as an engine explains it, without who made commands.

    It was made at `explained_at`, of the version `explanation.v` at the `position` of its shard. `exact` is whether that is the
    version `v` of the time; if not, the engine had no time to explain that one, and an earlier one is explained.
    """

    at: Time
    v: int
    exact: bool
    explained_at: Time
    position: At
    explanation: ExplanationAnswer


class MarketStep(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A change of a market at a time: its changed fields, the whole market if `event` is among them, or its removal."""

    at: Time
    position: At
    market: MarketChanged


class GapAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A time that the history does not have; `until` is null while it goes on, `after` where it is the beginning."""

    after: Time | None
    until: Time | None
    reason: Literal["beginning", "trimmed", "lost", "replaced", "incomplete", "dropped"]


class MarketChangesAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A page of how a market has changed, as the subscribers of a profile saw it.

    `before` is the whole market before the first change; null if it was not on offer, or is not known. `reaches` is how far the
    history reaches: what is later may come. `gaps` are those of the whole time that was asked for.
    """

    profile: str
    reaches: Time
    before: MarketWhole | None
    changes: list[MarketStep]
    gaps: list[GapAnswer]
    next: Cursor | UnsetType = UNSET


class CommandStep(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A step of a command's life: what somebody has done about it, and the command after that."""

    at: Time
    step: Literal["made", "proposed", "confirmed", "lifted"]
    command: CommandAnswer


class CommandStepsAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A page of steps of commands, in order."""

    steps: list[CommandStep]
    next: Cursor | UnsetType = UNSET
