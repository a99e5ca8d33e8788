"""The probabilities that a source's books imply for the selections of a market, and the bounds that they set."""

from __future__ import annotations

from math import fsum, inf
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.pricing.methods.bounds import bounds, has_room, implied_bounds, quote_sum_bounds
from oddsengine.pricing.methods.fair import ExchangeLimits, Fair, fair_from_exchange, fair_from_quotes, is_deep_enough, normalised
from oddsengine.pricing.methods.margin import SEVERAL_WINNERS, devig_method
from oddsengine.sourcing.selection_book import SelectionBook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.sourcing.source_book import SourceMarket

#: How far the sum of probabilities may exceed the winners, as a share of them, where last trades are among them.
_TRADED_EXCESS: Final = 0.02


class ConsensusBook(SelectionBook):
    """A selection priced by several sources together: holds a fair probability instead of an order book.

    `bounds` is the interval of probabilities that the sources' offers allow.
    """

    __slots__ = ("bounds", "fair")

    def __init__(self) -> None:
        super().__init__()
        self.fair: float | None = None
        self.bounds = (0.0, 1.0)

    def set_fair(self, probability: float, bounds: tuple[float, float] = (0.0, 1.0)) -> bool:
        """Set the fair probability and its bounds. Return whether one of them changes; only then the versions do."""
        if probability == self.fair and bounds == self.bounds:
            return False
        self.fair = probability
        self.bounds = bounds
        self.version += 1
        self.best_version += 1
        return True


class FairPriceInputs(NamedTuple):
    """A profile's settings for fair probabilities. Profiles with equal ones share the probabilities."""

    limits: ExchangeLimits
    devig: str
    source_overround: float
    min_source_overround: float = 0.98
    max_source_overround: float = 1.35


class Trades(NamedTuple):
    """The times that decide whether a last trade may be used, Unix milliseconds: now, and when the source opened the market."""

    now_ms: float
    open_since_ms: float


class Implied(NamedTuple):
    """The probability that the books of a set of selections imply.

    Attributes:
        fair: the probability of each selection, None where its book has none; not scaled to the number of winners, except
            where a margin was removed.
        lows: the smallest probability that each selection's offers allow.
        highs: the largest one.
        refusal: why the set may not be open, None if it may.
        quote_sum: the sum of a bookmaker's inverse odds, per winner; None where some are missing or there are none.
        expires_ms: when a last trade that is used becomes too old, Unix milliseconds; infinity where none is used.
    """

    fair: list[Fair | None]
    lows: list[float]
    highs: list[float]
    refusal: str | None = None
    quote_sum: float | None = None
    expires_ms: float = inf


def implied(
    books: Sequence[SelectionBook | None],
    winners: int,
    inputs: FairPriceInputs,
    market: SourceMarket | None = None,
    now_ms: float = 0.0,
    *,
    is_one_of_many: bool = False,
) -> Implied:
    """Return what the books of a set of selections imply: consensus first, then bookmaker quotes, then order books.

    Args:
        books: of the selections.
        winners: how many of the selections win.
        inputs: the profile's settings.
        market: the source's market, for the times of its trades and removals.
        now_ms: Unix milliseconds, for the ages of trades.
        is_one_of_many: whether the set is one of several lines of its market. Such a line has no price if one
            of its sides has no offers.
    """
    count = len(books)
    if not 0 < winners < count:
        # Where all of them win, or none can, there are no odds.
        return Implied([None] * count, [0.0] * count, [1.0] * count)
    if any(type(book) is ConsensusBook for book in books):
        return _implied_by_consensus(books, winners)
    if any(book is not None and book.quote is not None for book in books):
        return _implied_by_quotes(books, winners, inputs, market)
    return _implied_by_order_books(books, winners, inputs, market, now_ms, is_one_of_many=is_one_of_many)


def _implied_by_consensus(books: Sequence[SelectionBook | None], winners: int) -> Implied:
    fair: list[Fair | None] = []
    lows: list[float] = []
    highs: list[float] = []
    for book in books:
        low, high = book.bounds if type(book) is ConsensusBook else (0.0, 1.0)
        lows.append(low)
        highs.append(high)
        # The median of several sources may be outside what the offers of one of them allow.
        agreed = book.fair if type(book) is ConsensusBook else None
        fair.append(None if agreed is None else Fair(min(max(agreed, low), high), "consensus"))
    return Implied(fair, lows, highs, None if has_room(lows, highs, winners) else "incoherent")


def _implied_by_quotes(
    books: Sequence[SelectionBook | None], winners: int, inputs: FairPriceInputs, market: SourceMarket | None
) -> Implied:
    quotes = [None if book is None else book.quote for book in books]
    nothing: list[Fair | None] = [None] * len(quotes)
    lows, highs = [0.0] * len(quotes), [1.0] * len(quotes)
    inverses = [1.0 / quote for quote in quotes if quote is not None]
    quote_sum = fsum(inverses) / winners if len(inverses) == len(quotes) else None
    devig = devig_method(inputs.devig, winners)
    if winners > 1 and devig not in SEVERAL_WINNERS:
        return Implied(nothing, lows, highs, "method", quote_sum)
    if market is not None and market.quotes_at_removal is not None:
        # The quotes are from before a selection was removed.
        return Implied(nothing, lows, highs, "incoherent", quote_sum)
    if quote_sum is not None:
        smallest, largest = source_sum_bounds(len(quotes), inputs)
        if not smallest <= quote_sum <= largest:
            return Implied(nothing, lows, highs, "incoherent", quote_sum)
    return Implied(fair_from_quotes(quotes, winners, devig, inputs.source_overround), lows, highs, None, quote_sum)


def source_sum_bounds(outcomes: int, inputs: FairPriceInputs) -> tuple[float, float]:
    """Return the bounds of a bookmaker's sum of inverse odds, per winner."""
    return quote_sum_bounds(outcomes, inputs.min_source_overround, inputs.max_source_overround, inputs.source_overround)


def _implied_by_order_books(
    books: Sequence[SelectionBook | None],
    winners: int,
    inputs: FairPriceInputs,
    market: SourceMarket | None,
    now_ms: float,
    *,
    is_one_of_many: bool,
) -> Implied:
    limits = inputs.limits
    offers = [(0.0, 1.0) if book is None else bounds(*book.best()) for book in books]
    lows, highs = [low for low, _ in offers], [high for _, high in offers]
    if is_one_of_many and (0.0, 1.0) in offers:
        return Implied([None] * len(books), lows, highs)
    if winners > 1 and limits.normalise not in SEVERAL_WINNERS:
        return Implied([None] * len(books), lows, highs, "method")
    trades = None if market is None else Trades(now_ms, market.open_since_ms)
    fair = [implied_by_exchange(book, limits, trades) for book in books]
    expires_ms = inf
    if limits.last_traded:
        _drop_contradicted_trades(fair, lows, highs, winners)
        expires_ms = min(
            [
                book.last_ms + limits.last_traded_max_age_s * 1000.0
                for book, each in zip(books, fair, strict=True)
                if book is not None and each is not None and each.basis == "last_traded"
            ],
            default=inf,
        )
    if limits.normalise != "multiplicative":
        fair = normalised(fair, winners, limits.normalise)
    return Implied(fair, lows, highs, None if has_room(lows, highs, winners) else "incoherent", None, expires_ms)


def _drop_contradicted_trades(fair: list[Fair | None], lows: Sequence[float], highs: Sequence[float], winners: int) -> None:
    """Drop the last trades that the other selections' books rule out, one by one or together."""
    traded = [index for index, each in enumerate(fair) if each is not None and each.basis == "last_traded"]
    for index in traded:
        low, high = implied_bounds(lows, highs, winners, index)
        each = fair[index]
        if each is not None and not low <= each.probability <= high:
            fair[index] = None
    total = fsum([low if each is None else each.probability for each, low in zip(fair, lows, strict=True)])
    if total > winners * (1.0 + _TRADED_EXCESS):
        for index in traded:
            fair[index] = None


def implied_by_exchange(book: SelectionBook | None, limits: ExchangeLimits, trades: Trades | None = None) -> Fair | None:
    """Return the probability implied by one selection's order book, None where it is missing or outside the limits.

    A last trade is used only if it was received after the source opened the market, and within its age.
    """
    if book is None:
        return None
    back, lay = book.best()
    is_deep = not limits.min_depth or is_deep_enough(book.back_rows(), book.lay_rows(), limits)
    last = book.last
    if last is not None and trades is not None and limits.last_traded:
        is_of_this_opening = book.last_ms > trades.open_since_ms
        if not is_of_this_opening or trades.now_ms - book.last_ms >= limits.last_traded_max_age_s * 1000.0:
            last = None
    return fair_from_exchange(back, lay, last, limits, is_deep=is_deep)
