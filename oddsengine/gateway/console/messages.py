"""What the channels of the console carry, beside what is on offer."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Since = Annotated[int, Meta(description="Unix time in milliseconds.")]
FeedStatus = Annotated[
    dict[str, Any],
    Meta(
        description="A feed as in `GET /v1/feeds`, whichever process is connected to it. `state` is `unknown` if no process "
        "reports it any more. `followed`: whether the engine has everything that it sends; absent where both are one process."
    ),
]


class PairSide(msgspec.Struct, kw_only=True):
    """An event of a pair."""

    id: str
    name: str
    sport: str
    competition: str
    start: str | None = None


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
