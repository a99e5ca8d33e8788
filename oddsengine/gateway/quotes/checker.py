"""Checks quotes against what is on offer now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from oddsengine.domain.formats import format_odds, parse_odds
from oddsengine.domain.odds import to_milli
from oddsengine.gateway.protocol.client_messages import MAX_PRICE, BadMessage
from oddsengine.gateway.protocol.server_messages import QuoteChecked, WasOnOffer
from oddsengine.gateway.quotes.acceptance import result_of, shown_as
from oddsengine.gateway.quotes.signed_quote import InvalidQuote, SignedQuote, read_signed
from oddsengine.streams.positions import Position, encode_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from oddsengine.domain.changes import MarketRecord, MarketTerms
    from oddsengine.gateway.protocol.client_messages import Accept, QuotesCheck, QuoteToCheck
    from oddsengine.gateway.state.price_history import PriceHistory
    from oddsengine.gateway.state.replica import Replica

_NUMBERS: Final = (int, float)


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote that was asked about.

    Attributes:
        price: in thousandths.
        text: the price as it was shown; None for one that was signed.
        v: the version it was shown with; None if that is not known.
        profile: whose price it is, of a signed quote; None for that of the client.
        has_expired: whether it was signed and is over its time.
    """

    market: str
    selection: str
    price: int
    text: float | str | None
    v: int | None
    odds_format: str
    accept: Accept
    tolerance: float
    profile: str | None = None
    has_expired: bool = False


@dataclass(frozen=True, slots=True)
class Offered:
    """The offer that a quote was checked against: a market, the index of the client's profile, and the price of the selection."""

    record: MarketRecord
    profile_index: int | None
    price: int | None


#: A signed quote that is none.
INVALID: Final = QuoteChecked(market="", selection="", result="invalid", price=None, v=None, was_on_offer=None)


def quotes_of(body: QuotesCheck, keys: Mapping[str, Ed25519PublicKey], now_s: float) -> Iterator[Quote | None]:
    """Yield the quotes of a request, None for each that is signed and not valid. To verify one takes some 0.1 ms.

    Args:
        body: the request.
        keys: what signed quotes are verified with, by key id.
        now_s: Unix seconds.

    Raises:
        BadMessage: if one can't be read; the message says which, and why.
    """
    for place, quote in enumerate(body.quotes):
        try:
            yield _plain_quote(quote, body) if quote.signed is UNSET else _signed_quote(quote, body, keys, now_s)
        except BadMessage as problem:
            raise BadMessage(f"{problem} - at `$.quotes[{place}]`") from None


def _plain_quote(quote: QuoteToCheck, body: QuotesCheck) -> Quote:
    market, selection, text = quote.market, quote.selection, quote.price
    if market is UNSET or selection is UNSET or text is UNSET:
        missing = next(name for name in ("market", "selection", "price") if getattr(quote, name) is UNSET)
        raise BadMessage(f"Object missing required field `{missing}`")
    odds_format = body.format if quote.format is UNSET else quote.format
    return Quote(market, selection, parse_price(text, odds_format), text, quote.v, odds_format, *_accepting(quote, body))


def _signed_quote(quote: QuoteToCheck, body: QuotesCheck, keys: Mapping[str, Ed25519PublicKey], now_s: float) -> Quote | None:
    given = [name for name in ("market", "selection", "price", "format") if getattr(quote, name) is not UNSET]
    if given or quote.v is not None:
        raise BadMessage(f"a signed quote has its own `{given[0] if given else 'v'}`")
    assert quote.signed is not UNSET  # noqa: S101 - checked by the caller
    try:
        signed = read_signed(quote.signed, keys)
        price = parse_price(signed.price, "decimal")
    except (InvalidQuote, BadMessage):
        return None
    has_expired = signed.has_expired(now_s)
    accepting = _accepting(quote, body)
    return Quote(
        signed.market, signed.selection, price, None, signed.v, body.format, *accepting, signed.profile, has_expired=has_expired
    )


def _accepting(quote: QuoteToCheck, body: QuotesCheck) -> tuple[Accept, float]:
    accept = body.accept if quote.accept is UNSET else quote.accept
    return accept, body.tolerance if quote.tolerance is UNSET else quote.tolerance


def parse_price(text: float | str, odds_format: str) -> int:
    """Return a price in thousandths.

    Args:
        text: as streams show it: text for fractional, else a number.
        odds_format: its format.

    Raises:
        BadMessage: if it is none, or is 1 or less in decimal odds, or more than any ladder has.
    """
    if isinstance(text, str) != (odds_format == "fractional"):
        raise BadMessage(f"Expected {'text' if odds_format == 'fractional' else 'a number'} as `price` in {odds_format} format")
    try:
        if odds_format == "decimal" and isinstance(text, _NUMBERS):
            price = to_milli(text) if 1.0 < text <= MAX_PRICE else 0
        else:
            price = parse_odds(str(text), odds_format)
    except (ValueError, OverflowError) as error:
        raise BadMessage(f"`price`: {error}") from None
    if not 1000 < price <= MAX_PRICE * 1000:  # noqa: PLR2004 - odds of 1, in thousandths
        raise BadMessage(f"Expected `price` in decimal odds > 1 and <= {MAX_PRICE:.0f}")
    return price


class QuoteChecker:
    """Checks quotes.

    Args:
        replica: what is on offer.
        history: the prices of the last seconds.
        is_current: checks whether a bet may rest on what is known of a shard.
    """

    def __init__(self, replica: Replica, history: PriceHistory, is_current: Callable[[int], bool]) -> None:
        self._replica = replica
        self._history = history
        self._is_current = is_current

    def check(
        self,
        quote: Quote,
        profile: str | None,
        find: Callable[[str], MarketRecord | None],
        now_ms: int,
        *,
        with_fair: bool,
    ) -> tuple[QuoteChecked, Offered | None]:
        """Return the answer to a quote, and what it was checked against; None if that is not known.

        Args:
            quote: the quote.
            profile: whose prices the client sees; None for the first.
            find: finds a market that the client may see.
            now_ms: Unix milliseconds.
            with_fair: whether the answer has the fair probability.
        """
        shard = self._replica.shard_of(quote.market.partition("/")[0])
        # While nothing is received of the shard, what is not known may have come on offer.
        is_stale = not self._is_current(shard)
        record = find(quote.market)
        selection = record.selections.get(quote.selection) if record is not None else None
        checked = QuoteChecked(
            market=quote.market,
            selection=quote.selection,
            result="stale" if is_stale else "unknown",
            price=None,
            v=None if record is None else record.v,
            was_on_offer=None,
        )
        if record is None or selection is None:
            return checked, None
        offer = self._replica.offers[shard]
        profile_index = offer.profile_index(profile)
        if quote.profile is not None and (profile_index is None or offer.profiles[profile_index] != quote.profile):
            # What another brand has signed is none of this one's prices.
            return INVALID, None
        current = None if profile_index is None else selection.prices[profile_index]
        quoted = quote.price
        if current is not None:
            checked.price = format_odds(current, quote.odds_format)
            if quote.text is not None:
                quoted = shown_as(current, quoted, quote.text, quote.odds_format)
        if profile_index is not None:
            found = self._history.was_on_offer(record.id, quote.selection, quoted, profile_index, quote.v, now_ms)
            checked.was_on_offer = None if found is None else WasOnOffer(*found)
        checked.result = result_of(
            record.state.status,
            current,
            quoted,
            quote.accept,
            quote.tolerance,
            is_stale=is_stale,
            has_expired=quote.has_expired,
        )
        if checked.result in {"ok", "price_changed"}:
            if record.state.terms:
                _add_terms(checked, record.state.terms[profile_index or 0])
            if with_fair and selection.fair:
                checked.fair = selection.fair / 1_000_000
        return checked, Offered(record, profile_index, current)

    def to_sign(self, checked: QuoteChecked, offered: Offered, now_ms: int, ttl_s: int) -> SignedQuote | None:
        """Return what to sign of a quote that was checked: the current price; None if no bet can be taken at it.

        Args:
            checked: the answer.
            offered: what it was checked against.
            now_ms: Unix milliseconds, by the world's clock.
            ttl_s: for how many seconds it is valid.
        """
        record, profile_index, price = offered.record, offered.profile_index, offered.price
        if checked.result not in {"ok", "price_changed", "expired"} or price is None or profile_index is None:
            return None
        shard = self._replica.shard_of(record.identity.event)
        offer = self._replica.offers[shard]
        return SignedQuote(
            market=record.id,
            selection=checked.selection,
            line=record.identity.line,
            price=price / 1000,
            v=record.v,
            at=encode_at({shard: Position(offer.epoch, offer.seq)}),
            ts=now_ms,
            profile=offer.profiles[profile_index],
            iat=now_ms // 1000,
            exp=now_ms // 1000 + ttl_s,
        )


def _add_terms(checked: QuoteChecked, terms: MarketTerms) -> None:
    """Add the limit and the delay of a bet to a quote that can be bet on."""
    if terms.limit is not None:
        checked.limit = terms.limit
    if terms.bet_delay_s:
        checked.accept_after_ms = round(terms.bet_delay_s * 1000)
