"""The config block of a Pinnacle lines feed."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class PinnacleConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sports to poll, and how often.

    `sports` are the provider's sport ids (29: football). Each of the two endpoints is called once per `interval_s` and sport: the
    provider allows one call in two minutes for each, more by agreement. Prices that are not confirmed for `max_age_s` are
    withdrawn, and sooner, after three intervals, where calls for them or for their fixtures fail.
    """

    url: str = "https://api.pinnacle.com"
    username_env: str = "PINNACLE_USERNAME"
    username_file: str = ""
    password_env: str = "PINNACLE_PASSWORD"  # noqa: S105 - the name of a variable, not a secret
    password_file: str = ""
    ca_file: str = ""
    sports: Annotated[tuple[int, ...], Meta(min_length=1)] = (29,)
    interval_s: Annotated[float, Meta(gt=0)] = 120.0
    max_age_s: Annotated[float, Meta(gt=0)] = 300.0
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
