"""The grants of a client: its role, profile, channels and limits, from a token's claims or the anonymous role."""

from __future__ import annotations

from enum import IntEnum
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec
from msgspec import Meta


class Role(IntEnum):
    """Roles in ascending order; each includes those before it.

    A `subscriber` follows channels and reads what is on offer; a `service` (a bet service) also checks quotes and sees fair
    probabilities; a `trader` also sees how prices were computed, and commands the offer; an `admin` may do everything.
    """

    subscriber = 1
    service = 2
    trader = 3
    admin = 4


class SessionLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of a session, or of all sessions of one token; 0 means no limit.

    `sessions` open at once with one token; per session, `channels` subscribed to and `messages_per_s` sent.
    """

    sessions: Annotated[int, Meta(ge=0)] = 0
    channels: Annotated[int, Meta(ge=0)] = 2000
    messages_per_s: Annotated[float, Meta(ge=0)] = 100.0


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The access of a client.

    `subject` identifies the client, `profile` selects its prices (None: the gateway's profile), `channels` are glob
    patterns, `commands` glob patterns of `<action>:<scope>` as `suspend:event:betfair.*`, `expires_s` is when the grant ends
    (Unix seconds; None: never).
    """

    subject: str
    role: Role = Role.subscriber
    profile: str | None = None
    channels: tuple[str, ...] = ("*",)
    commands: tuple[str, ...] = ("*",)
    limits: SessionLimits = SessionLimits()
    expires_s: float | None = None

    def may_subscribe(self, channel: str) -> bool:
        """Check whether a channel is granted."""
        return any(pattern == "*" or fnmatchcase(channel, pattern) for pattern in self.channels)
