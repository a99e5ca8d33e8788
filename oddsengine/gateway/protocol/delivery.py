"""The options with which a subscriber wants a channel delivered."""

from __future__ import annotations

from typing import NamedTuple

from oddsengine.gateway.protocol.encoders import JSON, Encoding
from oddsengine.gateway.protocol.framing import Framing


class DeliveryOptions(NamedTuple):
    """The options that distinguish the audiences of one channel.

    The profile (None: the first), the odds format, the minimum interval between deltas in milliseconds, the encoding, the
    framing, and whether fair probabilities are included, as no subscriber's are.
    """

    profile: str | None
    odds_format: str
    interval_ms: int
    encoding: Encoding = JSON
    framing: Framing = Framing()
    with_fair: bool = False
