"""How a feed is supervised: the `supervision` table that every feed's config block may hold."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_Seconds = Annotated[float, Meta(gt=0, le=86_400)]
_SecondsOrNever = Annotated[float, Meta(ge=0, le=86_400)]


class Supervision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits and waits of one feed, in seconds; where a limit may be 0 it is then never reached.

    `connect_timeout_s` to open a connection, `recovery_timeout_s` to complete a recovery. `quiet_in_play_s` how long nothing may
    move while a market is in play, `quiet_s` while none is. `lag_limit_s` how late messages may come. Waits after failures are
    random between 0 and a ceiling that doubles from `backoff_start_s` to `backoff_ceiling_s`; after `breaker_failures` in a row
    only one attempt in `breaker_probe_s` is made.
    """

    connect_timeout_s: _Seconds = 10.0
    recovery_timeout_s: _Seconds = 300.0
    quiet_in_play_s: _SecondsOrNever = 60.0
    quiet_s: _SecondsOrNever = 0.0
    lag_limit_s: _SecondsOrNever = 5.0
    backoff_start_s: _Seconds = 0.25
    backoff_ceiling_s: _Seconds = 30.0
    breaker_failures: Annotated[int, Meta(ge=1)] = 8
    breaker_probe_s: _Seconds = 60.0
