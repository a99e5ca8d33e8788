"""The `[matching]` section of the config."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class MatchingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of which events of different feeds are the same.

    `window_min`: how far apart their starts may be. Two events are merged if their score is at least `merge_threshold` and ahead
    of the next candidate's by `min_lead`, and listed for review from `review_threshold` on. `matches` and `non_matches` are pairs
    of event ids that are the same event, or never; `aliases` maps a name to its other names.
    """

    window_min: Annotated[float, Meta(ge=0, le=1440)] = 180.0
    merge_threshold: Share = 0.86
    review_threshold: Share = 0.6
    min_lead: Share = 0.08
    matches: tuple[tuple[str, str], ...] = ()
    non_matches: tuple[tuple[str, str], ...] = ()
    aliases: dict[str, tuple[str, ...]] = {}

    def __post_init__(self) -> None:
        if self.review_threshold > self.merge_threshold:
            raise ValueError(
                f"review_threshold ({self.review_threshold:g}) must not be above merge_threshold ({self.merge_threshold:g})"
            )
