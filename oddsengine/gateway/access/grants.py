"""Who may see what: a role, a profile, channels and limits, as a token's claims or the config's anonymous role give them."""

from __future__ import annotations

from enum import IntEnum
from fnmatch import fnmatchcase
from typing import Annotated, Final

import msgspec
from msgspec import Meta


class Role(IntEnum):
    """What one may do; each may do all that those before it may.

    `subscriber` follows channels and reads what is on offer; `service` (a bet service) checks quotes; `trader` sees why a
    price is what it is; `admin` may do everything.
    """

    subscriber = 1
    service = 2
    trader = 3
    admin = 4


ROLES: Final = tuple(role.name for role in Role)


class SessionLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one session, or one token's sessions together, may use; 0: as much as they like.

    `sessions` open at once with one token, `channels` subscribed and `messages_per_s` sent in one session.
    """

    sessions: Annotated[int, Meta(ge=0)] = 0
    channels: Annotated[int, Meta(ge=0)] = 2000
    messages_per_s: Annotated[float, Meta(ge=0)] = 100.0


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may do.

    `subject` names them, `profile` the prices they see (None: the gateway's), `channels` are patterns as in file names,
    `expires_s` is when this ends (Unix seconds, None: never).
    """

    subject: str
    role: Role = Role.subscriber
    profile: str | None = None
    channels: tuple[str, ...] = ("*",)
    limits: SessionLimits = SessionLimits()
    expires_s: float | None = None

    def may_subscribe(self, channel: str) -> bool:
        """Tell whether a channel is one of those granted."""
        return any(pattern == "*" or fnmatchcase(channel, pattern) for pattern in self.channels)
