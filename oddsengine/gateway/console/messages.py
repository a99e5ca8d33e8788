"""The messages of the console's channels, beside what is on offer."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

Since = Annotated[int, Meta(description="Unix time in milliseconds.")]
#: The state of a feed that no process reports any more.
UNKNOWN: Final = "unknown"
#: What the supervision of feeds calls them. A test compares; clients import this module without it.
FEED_STATES: Final = ("down", "connecting", "recovering", "live", "lagging", "stale")
FEED_TRIGGERS: Final = ("connect", "opened", "recovered", "behind", "caught up", "went stale", "lost")
BREAKER_STATES: Final = ("closed", "opened", "half-opened")
_State = Annotated[str, Meta(extra_json_schema={"enum": [*FEED_STATES, UNKNOWN]})]


class FeedChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A change of a feed's state."""

    at: Since
    what: Annotated[str, Meta(extra_json_schema={"enum": [*FEED_TRIGGERS]})]
    state: _State
    reason: str


class Quota(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Use of a provider's allowance."""

    used: float | None
    remaining: float | None


class ResponseTimes(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Response times of a provider: how many there were, the mean, and what 95 % stay below."""

    count: int
    mean_ms: float | None
    p95_ms: float | None


class FeedStatus(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A feed, whichever process is connected to it.

    `state` is `unknown` if no process reports it any more. `followed`: whether the engine has everything that it sends; absent
    where both are one process. Of a feed of another process an engine knows only the first four and that.
    """

    feed: str
    sources: list[str]
    state: _State
    reason: str
    followed: bool | UnsetType | None = UNSET
    since: Since | UnsetType = UNSET
    last_received: Since | UnsetType | None = UNSET
    lag_ms: float | UnsetType = UNSET
    skew_ms: float | UnsetType | None = UNSET
    failures_in_a_row: int | UnsetType = UNSET
    breaker: Annotated[str, Meta(extra_json_schema={"enum": [*BREAKER_STATES]})] | UnsetType = UNSET
    quota: Quota | UnsetType | None = UNSET
    responses: ResponseTimes | UnsetType | None = UNSET
    counts: Annotated[dict[str, int], Meta(description="Since the process was started.")] | UnsetType = UNSET
    changes: Annotated[list[FeedChange], Meta(description="The last 50.")] | UnsetType = UNSET


class PairSide(msgspec.Struct, kw_only=True):
    """An event of a pair."""

    id: str
    name: str
    sport: str
    competition: str
    participants: list[str] | UnsetType = UNSET
    start: Annotated[str | None, Meta(description="As RFC 3339 in UTC.")] = None


class UnmatchedPair(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Two events that may be the same, and how similar they are, up to 1."""

    events: list[PairSide]
    score: float
    reason: str


class DoubtfulPair(msgspec.Struct, tag_field="kind", tag="pair"):
    """Two events that may be the same, to be settled by a command."""

    id: str
    events: list[PairSide]
    score: float
    reason: str


class LateCommands(msgspec.Struct, tag_field="kind", tag="late_commands"):
    """Commands that the owner of a shard has not obeyed for a while."""

    id: str
    shard: int
    since: Since
    commands: list[str]


class StaleShard(msgspec.Struct, tag_field="kind", tag="stale_shard"):
    """A shard of which the gateway has received nothing for a while."""

    id: str
    shard: int
    since: Since


class SilentEngine(msgspec.Struct, tag_field="kind", tag="silent_engine"):
    """No engine reports feeds and doubtful pairs."""

    id: str
    since: Since


Trouble = DoubtfulPair | LateCommands | StaleShard | SilentEngine
Removed = Annotated[list[str], Meta(description="Of a channel of the console: the ids of what is gone; of feeds, their names.")]
