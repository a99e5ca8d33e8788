"""From fair probabilities to quoted odds: pooling, skew, shift and margin. Nothing is rounded here."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Final

from oddsengine.pricing.errors import MarginError
from oddsengine.pricing.methods.bounds import scaled_within
from oddsengine.pricing.methods.margin import quote_odds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.pricing.profiles.profile import Profile

#: The largest probability after a shift.
_MAX_PROBABILITY: Final = 1.0 / 1.0001


def with_pooled(fair: Sequence[float | None], index: int, probability: float) -> list[float | None]:
    """Set the probability of one selection and scale the others so that their sum stays."""
    own = fair[index]
    if own is None:
        return [*fair]
    rest = (1.0 - probability) / (1.0 - own)
    return [probability if at == index else None if other is None else other * rest for at, other in enumerate(fair)]


def quote_book(
    keys: Sequence[str],
    inverses: Sequence[float | None],
    factor: float,
    winners: int,
    profile: Profile,
    lows: Sequence[float] = (),
) -> list[float | None]:
    """Apply a profile's skew, shifts and margin to a set of selections. Return unrounded decimal odds.

    An incomplete book, or one for which the method has no answer, is quoted in proportion.

    Args:
        keys: of the selections.
        inverses: 1 / probability of every selection, None where there is none.
        factor: divides the inverses so that the probabilities sum to the number of winners.
        winners: how many of the selections win.
        profile: the settings.
        lows: the smallest probability that each selection's offers allow; empty where nothing bounds any. No skew and no shift
            quotes a selection longer than it could be laid at.
    """
    if not profile.is_skewed:
        return _quoted(inverses, factor, winners, profile)
    quotes = _quoted(_skewed(keys, inverses, factor, profile), 1.0, winners, profile)
    if not lows:
        return quotes
    return [1.0 / low if quoted is not None and quoted * low > 1.0 else quoted for quoted, low in zip(quotes, lows, strict=True)]


def _quoted(inverses: Sequence[float | None], factor: float, winners: int, profile: Profile) -> list[float | None]:
    if profile.method != "multiplicative" and None not in inverses and winners < len(inverses):
        fair = [factor / inverse for inverse in inverses if inverse is not None]
        try:
            return [*quote_odds(fair, profile.book_sum * winners, profile.method, winners)]
        except MarginError:
            pass
    scale = 1.0 / (factor * profile.book_sum)
    return [None if inverse is None else scale * inverse for inverse in inverses]


def _skewed(keys: Sequence[str], inverses: Sequence[float | None], factor: float, profile: Profile) -> list[float | None]:
    """Skew and shift probabilities and scale them back to their sum. Return their inverses."""
    fair = [None if inverse is None else factor / inverse for inverse in inverses]
    shift = profile.shift
    skewed = [
        None if probability is None else probability**profile.skew * (1.0 + shift.get(key, 0.0))
        for key, probability in zip(keys, fair, strict=True)
    ]
    known = [probability for probability in skewed if probability is not None]
    if not known:
        return [None] * len(keys)
    total = fsum([probability for probability in fair if probability is not None])
    # However large the shift, no probability reaches 1: what one can't take is spread over the others, and the sum stays.
    most = max(_MAX_PROBABILITY, total / len(known))
    within = iter(scaled_within(known, [0.0] * len(known), [most] * len(known), total))
    return [None if probability is None else 1.0 / next(within) for probability in skewed]
