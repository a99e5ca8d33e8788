"""The configuration that a story runs with, as docs/configuration.md words it, and its defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Settings:
    """A profile's settings. The stories pass the same to the product, by the same names."""

    devig: str = "shin"
    source_overround: float = 0.0
    min_source_overround: float = 0.98
    max_source_overround: float = 1.35
    book_sum: float = 1.05
    min_margin: float = 0.0
    method: str = "multiplicative"
    ladder: str = "betfair"
    rounding: str = "down"
    skew: float = 1.0
    shift: dict[str, float] = field(default_factory=dict)
    min_move: float = 0.0
    max_move: float = 0.0
    max_age_s: float = 0.0
    jump_limit: float = 0.0
    pool_limit: float = 0.02
    require_complete_book: bool = False
    suspend: bool = False
    max_spread: float = 0.25
    min_size: float = 2.0
    min_depth: float = 0.0
    last_traded: bool = False
    last_traded_max_age_s: float = 60.0
    #: (conditions, settings): `in_play`, `starts_within_min` and `starts_after_min` are the conditions
    rules: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = ()

    @property
    def is_skewed(self) -> bool:
        """Whether the profile moves fair probabilities before the margin."""
        return self.skew != 1.0 or bool(self.shift)

    def resolved(self, *, in_play: bool, minutes_to_start: float | None) -> Settings:
        """Return the settings with those of the rules that match."""
        settings = self
        for conditions, values in self.rules:
            within, after = conditions.get("starts_within_min"), conditions.get("starts_after_min")
            if conditions.get("in_play") not in {None, in_play}:
                continue
            if within is not None and (minutes_to_start is None or minutes_to_start > within):
                continue
            if after is not None and (minutes_to_start is None or minutes_to_start <= after):
                continue
            settings = replace(settings, **values)
        return settings


@dataclass(frozen=True)
class Sourcing:
    """The choice of sources by markets."""

    mode: str = "priority"
    sources: tuple[str, ...] = ()
    min_sources: int = 2
    outlier: float = 0.05
    hold_s: float = 30.0
    primary_suspends: bool = True
    shared_state: bool = True
    late_in_play: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """All profiles, in the order of published prices, and the one sourcing rule."""

    profiles: dict[str, Settings]
    sourcing: Sourcing
