"""The `commands` section of the configuration."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from oddsengine.commands.command import Action


class CommandSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of commands.

    `second_person` are the actions that somebody else must confirm. `per_s` is how many commands one person may make a second,
    with bursts of twice as many; 0 means no limit.
    """

    second_person: tuple[Action, ...] = ()
    per_s: Annotated[float, Meta(ge=0)] = 20.0
