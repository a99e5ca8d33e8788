"""The value types of a profile's settings, with their ranges. A rule sets the same parameters as a profile."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

BetDelay = Annotated[float, Meta(ge=0.0, le=600.0)]
BookSum = Annotated[float, Meta(ge=1.0, le=3.0)]
JumpLimit = Annotated[float, Meta(ge=0)]
Limit = Annotated[float, Meta(ge=0.0, le=1e12)]
MaxAge = Annotated[float, Meta(ge=0)]
MaxMove = Annotated[float, Meta(ge=0.0, le=10.0)]
MaxOdds = Annotated[float, Meta(gt=1.0)]
MaxSourceOverround = Annotated[float, Meta(ge=1.0, le=5.0)]
MinMargin = Annotated[float, Meta(ge=0.0, le=1.0)]
MinMove = Annotated[float, Meta(ge=0.0, le=0.5)]
MinOdds = Annotated[float, Meta(ge=1.001)]
MinSourceOverround = Annotated[float, Meta(ge=0.0, le=2.0)]
PoolLimit = Annotated[float, Meta(ge=0.0, le=0.5)]
Rounding = Literal["down", "balanced", "balanced_over_fair"]
Shift = Annotated[float, Meta(ge=-0.5, le=0.5)]
Skew = Annotated[float, Meta(ge=0.5, le=2.0)]
SourceOverround = Annotated[float, Meta(ge=0.0, le=2.0)]
Tolerance = Annotated[float, Meta(ge=0.0, le=1.0)]
