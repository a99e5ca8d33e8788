"""Signed quotes: verified offline, with the keys that an installation publishes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

from oddsengine.gateway.quotes.signed_quote import ExpiredQuote, from_jwks, read_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oddsengine.gateway.quotes.signed_quote import SignedQuote


class QuoteVerifier:
    """Verifies signed quotes.

    Args:
        jwks: what `GET /.well-known/jwks.json` has answered, as JSON or decoded. Fetch it again for an unknown key, every five
            minutes at most.
        clock: Unix seconds.

    Raises:
        ValueError: if it is no JWK Set.
    """

    def __init__(self, jwks: bytes | str | Mapping[str, Any], clock: Callable[[], float] = time.time) -> None:
        self._keys = from_jwks(orjson.loads(jwks) if isinstance(jwks, bytes | str) else jwks)
        self._clock = clock

    @property
    def key_ids(self) -> list[str]:
        """The ids of the keys."""
        return list(self._keys)

    def verify(self, signed: str, *, leeway_s: float = 0.0, at_s: float | None = None) -> SignedQuote:
        """Return what a signed quote says.

        Args:
            signed: as an answer has it.
            leeway_s: how much clocks may differ, seconds.
            at_s: the time at which it must have been valid, Unix seconds, as that of the bet; None for now.

        Raises:
            ExpiredQuote: if it was signed, and its time is over.
            InvalidQuote: if none of the keys has signed it. Both are ValueErrors.
        """
        quote = read_signed(signed, self._keys)
        if quote.has_expired(self._clock() if at_s is None else at_s, leeway_s):
            raise ExpiredQuote(quote)
        return quote
