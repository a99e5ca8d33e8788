"""The config block of an Odds-API.io feed."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class OddsApiIoConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The streams to read. Each of `bookmakers` is a source, `<feed>.<bookmaker>`; the provider allows one connection per key.

    The stream has no heartbeat: a connection that does not answer a ping within `ping_s` is dead, and `quiet_in_play_s` and
    `quiet_s` in the `supervision` block distinguish a quiet market from a frozen feed.
    """

    url: str = "https://api.odds-api.io"
    stream_url: str = "wss://api.odds-api.io/v3/ws"
    api_key_env: str = "ODDS_API_IO_KEY"
    api_key_file: str = ""
    ca_file: str = ""
    sport: str = "football"
    bookmakers: Annotated[tuple[str, ...], Meta(min_length=1)] = ("Bet365",)
    ping_s: Annotated[float, Meta(gt=0)] = 30.0
    requests_per_s: Annotated[float, Meta(gt=0)] = 5.0
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
