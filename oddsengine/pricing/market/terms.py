"""The terms of a market beyond its prices: the limit and the bet delay of its source, or those of the operator's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.domain.changes import MarketTerms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.pricing.profiles.profile import ResolvedProfile
    from oddsengine.sourcing.source_book import SourceMarket

_NONE: Final = MarketTerms()


def terms_of(source: MarketTerms | None, resolved: Iterable[ResolvedProfile]) -> tuple[MarketTerms, ...]:
    """Return the terms of a market, one entry a profile; empty where there are none.

    Args:
        source: those of its source, None if it states none.
        resolved: what applies to it, one entry a profile: what that sets holds instead.
    """
    own = source or _NONE
    terms = tuple(
        [
            MarketTerms(
                False,
                own.limit if profile.limit is None else profile.limit,
                own.bet_delay_s if profile.bet_delay_s is None else profile.bet_delay_s,
            )
            for profile, _ in resolved
        ]
    )
    return terms if any(each != _NONE for each in terms) else ()


def strictest(members: Iterable[SourceMarket]) -> MarketTerms | None:
    """Return the terms of a market that several sources price together: the smallest limit and the longest bet delay."""
    stated = [member.terms for member in members if member.terms is not None]
    if not stated:
        return None
    return MarketTerms(
        False,
        min((each.limit for each in stated if each.limit is not None), default=None),
        max((each.bet_delay_s for each in stated if each.bet_delay_s is not None), default=None),
    )
