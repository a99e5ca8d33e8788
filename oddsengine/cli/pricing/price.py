"""`oddsengine price`: quoted odds to fair probabilities to our odds, with every step shown."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Any

import msgspec
from rich.table import Table

from oddsengine.cli.support import open_console
from oddsengine.pricing import fair_probabilities, quote_odds
from oddsengine.pricing.guards.report import Guard, book_sum_guard
from oddsengine.pricing.market.quoting import quote_book
from oddsengine.pricing.market.rounding import round_book
from oddsengine.pricing.methods.implied import source_sum_bounds
from oddsengine.pricing.methods.margin import devig_method
from oddsengine.pricing.profiles.profile import resolve

if TYPE_CHECKING:
    from oddsengine.pricing.profiles.profile import Profile, ResolvedProfile
    from oddsengine.pricing.profiles.rules import MarketContext


def resolve_with(profile: Profile, context: MarketContext, **overrides: Any) -> ResolvedProfile:
    """Resolve a profile for a market, then override what is not None. Raises ValueError if the result is not a valid profile."""
    resolved = resolve(profile, context)
    given = {name: value for name, value in overrides.items() if value is not None}
    return resolved._replace(settings=msgspec.structs.replace(resolved.settings, rules=(), **given))


def price(odds: list[float], resolved: ResolvedProfile, winners: int = 1) -> dict[str, Any]:
    """Price a market from decimal odds, as the engine does.

    Args:
        odds: the decimal odds of every outcome.
        resolved: the profile for the market, and the rules that applied.
        winners: the number of outcomes that win.

    Raises:
        MarginError: if a method has no solution for these odds.
    """
    profile = resolved.settings
    devig = devig_method(profile.devig, winners)
    fair = fair_probabilities(odds, devig, winners)
    keys = [str(number) for number in range(1, len(odds) + 1)]
    if profile.is_skewed:
        quoted = quote_book(keys, [1 / probability for probability in fair], 1.0, winners, profile)
    else:
        # Not `quote_book`, which falls back to proportional quotes where the method has no solution.
        quoted = [*quote_odds(fair, profile.book_sum * winners, profile.method, winners)]
    rounded = round_book(quoted, list(fair), winners, profile)
    sums = source_sum_bounds(len(odds), profile.fair_price_inputs)
    book_sum_in = fsum(1 / value for value in odds)
    checks = (
        Guard("incoherent", sums, book_sum_in / winners, not sums[0] <= book_sum_in / winners <= sums[1]),
        book_sum_guard(profile, winners, rounded.prices, rounded.refusal),
    )
    return {
        "rules": list(resolved.places),
        "devig": devig,
        "book_sum_in": book_sum_in,
        "book_sum_asked": profile.book_sum * winners,
        "book_sum_out": fsum(1000 / value for value in rounded.prices if value is not None),
        "outcomes": [
            {"odds": each, "implied": 1 / each, "fair": probability, "quoted": ours, "price": value and value / 1000}
            for each, probability, ours, value in zip(odds, fair, quoted, rounded.prices, strict=True)
        ],
        "guards": [guard._asdict() for guard in checks],
    }


def print_table(result: dict[str, Any], resolved: ResolvedProfile) -> None:
    """Print a result as a table."""
    profile = resolved.settings
    title = f"{result['devig']} out, {profile.method} in, {profile.ladder} ladder, rounded {profile.rounding}"
    table = Table(title=title, title_justify="left")
    for heading in ("odds given", "implied", "fair", "fair odds", "quoted", "price"):
        table.add_column(heading, justify="right")
    for outcome in result["outcomes"]:
        price_text = "none" if outcome["price"] is None else f"{outcome['price']:g}"
        table.add_row(
            f"{outcome['odds']:g}",
            f"{outcome['implied']:.4%}",
            f"{outcome['fair']:.4%}",
            f"{1 / outcome['fair']:.4f}",
            f"{outcome['quoted']:.4f}",
            price_text,
        )
    console = open_console()
    if result["rules"]:
        console.print(f"rules: {', '.join(result['rules'])}", highlight=False)
    console.print(table)
    console.print(
        f"book sum: {result['book_sum_in']:.4f} given, {result['book_sum_asked']:.4f} asked, "
        f"{result['book_sum_out']:.4f} after the ladder",
        highlight=False,
    )
    for guard in result["guards"]:
        if guard["suspends"]:
            console.print(f"suspended: {guard['name']}, {guard['value']:.4f} where {guard['limit']} is allowed", highlight=False)
