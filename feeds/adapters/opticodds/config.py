"""The config block of an OpticOdds feed."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class OpticOddsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The streams to read. Each of `sportsbooks` is a source, `<feed>.<sportsbook>`; without `leagues`, all of the sport.

    `silence_s` is the time without even a ping after which the stream is dead; `requests_per_s` is the limit of the account.
    """

    url: str = "https://api.opticodds.com"
    api_key_env: str = "OPTICODDS_API_KEY"
    api_key_file: str = ""
    ca_file: str = ""
    sport: str = "soccer"
    leagues: tuple[str, ...] = ()
    sportsbooks: Annotated[tuple[str, ...], Meta(min_length=1)] = ("pinnacle",)
    silence_s: Annotated[float, Meta(gt=0)] = 30.0
    requests_per_s: Annotated[float, Meta(gt=0)] = 20.0
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
