"""From implied probabilities to quoted odds: coherence, skew, shift and margin. Nothing is rounded here."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Final

from oddsengine.pricing.errors import MarginError
from oddsengine.pricing.methods.margin import quote_odds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.pricing.profiles.profile import Profile

#: A complete book whose probabilities sum to less than the first or more than the second, per winner, contradicts itself.
COHERENT: Final = (0.75, 1.34)
#: The smallest inverse probability after a shift.
_MIN_INVERSE: Final = 1.0001


def coherence(probabilities: Sequence[float | None], winners: int) -> float | None:
    """Return the factor that makes probabilities sum to the number of winners; None if they contradict each other.

    Where some are missing the rest need not sum to it; they may only not exceed it.
    """
    known = [probability for probability in probabilities if probability is not None]
    total = fsum(known)
    if len(known) < len(probabilities):
        return 1.0 if total <= winners else winners / total
    if COHERENT[0] * winners <= total <= COHERENT[1] * winners:
        return winners / total
    return None


def with_pooled(fair: Sequence[float | None], index: int, probability: float) -> list[float | None]:
    """Set the probability of one selection and scale the others so that their sum stays."""
    own = fair[index]
    if own is None:
        return [*fair]
    rest = (1.0 - probability) / (1.0 - own)
    return [probability if at == index else None if other is None else other * rest for at, other in enumerate(fair)]


def quote_book(
    keys: Sequence[str], inverses: Sequence[float | None], factor: float, winners: int, profile: Profile
) -> list[float | None]:
    """Apply a profile's skew, shifts and margin to a set of selections. Return unrounded decimal odds.

    An incomplete book, or one for which the method has no answer, is quoted in proportion.

    Args:
        keys: of the selections.
        inverses: 1 / probability of every selection, None where there is none.
        factor: divides the inverses so that the probabilities sum to the number of winners.
        winners: how many of the selections win.
        profile: the settings.
    """
    if profile.is_skewed:
        inverses, factor = _skewed(keys, inverses, factor, profile), 1.0
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
    back = fsum([probability for probability in fair if probability is not None]) / fsum(known)
    # However large the shift, no probability reaches 1.
    return [None if probability is None else max(1.0 / (probability * back), _MIN_INVERSE) for probability in skewed]
