"""Answers about a market's past, encoded as its subscribers were sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET

from oddsengine.common.clock import iso_time
from oddsengine.common.excerpts import echoed
from oddsengine.domain.changes import MarketChange, Removal
from oddsengine.domain.ids import EventId
from oddsengine.gateway.past.messages import ExplanationThenAnswer, GapAnswer, MarketChangesAnswer, MarketStep, MarketThenAnswer
from oddsengine.gateway.protocol import encoders
from oddsengine.gateway.state.replica import suspended_as_stale
from oddsengine.history.questions.cursors import encode_cursor
from oddsengine.history.questions.explanations import of_profile
from oddsengine.offer.offer import BEGINNING, market_since
from oddsengine.streams.positions import Position, encode_at

if TYPE_CHECKING:
    from oddsengine.domain.changes import MarketRecord
    from oddsengine.history.questions.explanations import ExplanationThen
    from oddsengine.history.questions.markets import ChangesThen, MarketThen
    from oddsengine.history.questions.sightings import Absence

_encode: Final = msgspec.json.Encoder().encode


def market_answer(
    found: MarketThen, profile: str | None, stale_after_s: float, odds_format: str, *, with_fair: bool = False
) -> bytes:
    """Encode a market as it was at a time.

    Args:
        found: the market.
        profile: the profile; None for the first.
        stale_after_s: after how long without an entry subscribers saw it suspended; 0: never.
        odds_format: the format of prices.
        with_fair: whether to include fair probabilities.
    """
    whole = market_since(found.record, BEGINNING)
    since_ms, is_exact = found.since_ms, found.is_since_exact
    stale_ms = round(found.entry.at_ms + stale_after_s * 1000)
    is_stale = bool(stale_after_s) and stale_ms < found.at_ms
    if is_stale and (shown := suspended_as_stale(whole)) is not whole:
        whole, since_ms, is_exact = shown, stale_ms, True
    return _encode(
        MarketThenAnswer(
            at=_time(found.at_ms),
            since=_time(since_ms),
            since_is_exact=is_exact,
            stale=is_stale,
            position=encode_at({found.shard: Position(found.entry.epoch, found.entry.seq)}),
            profile=profile or next(iter(found.profiles), ""),
            market=_raw(encoders.market_change(whole, found.price_index, odds_format, with_fair=with_fair)),
        )
    )


def changes_answer(found: ChangesThen, profile: str | None, odds_format: str, *, with_fair: bool = False) -> bytes:
    """Encode a page of changes; the arguments are those of `market_answer`."""

    def fragment(change: MarketChange, index: int | None) -> Any:
        return _raw(encoders.market_change(change, index, odds_format, with_fair=with_fair))

    def whole(record: MarketRecord, index: int | None) -> Any:
        return fragment(market_since(record, BEGINNING), index)

    return _encode(
        MarketChangesAnswer(
            profile=profile or next(iter(found.profiles), ""),
            reaches=_time(found.reaches_ms),
            before=None if found.before is None else whole(*found.before),
            changes=[
                MarketStep(
                    at=_time(each.place.at_ms),
                    position=encode_at({found.shard: Position(each.place.epoch, each.place.seq)}),
                    market=_gone(found.market) if each.change is None else fragment(each.change, each.price_index),
                )
                for each in found.changes
            ],
            gaps=[
                GapAnswer(
                    after=_time(gap.after_ms) if gap.after_ms else None,
                    until=None if gap.known_ms is None else _time(gap.known_ms),
                    reason=gap.reason,  # type: ignore[arg-type]
                )
                for gap in found.gaps
            ],
            next=UNSET if found.next is None else encode_cursor(found.next),
        )
    )


def explanation_answer(found: ExplanationThen, profile: str | None) -> bytes | None:
    """Encode what led to the prices of a profile, of all for None. Return None if nothing is known of that."""
    explanation = found.explanation
    if explanation is None:
        return None
    # As the engine has made it.
    answer: Any = explanation.answer if profile is None else of_profile(explanation.answer, profile)
    return _encode(
        ExplanationThenAnswer(
            at=_time(found.market.at_ms),
            v=found.market.record.v,
            exact=found.is_exact,
            explained_at=_time(found.at_ms),
            position=encode_at({found.market.shard: Position(explanation.epoch, explanation.seq)}),
            explanation=answer,
        )
    )


def absence_text(market: str, absence: Absence) -> str:
    """Return the reason for which there is no answer."""
    at = "an unknown time" if absence.at_ms is None else _time(absence.at_ms)
    until = "that is not over" if absence.until_ms is None else f"until {_time(absence.until_ms)}"
    market = echoed(market)
    return {
        "ahead": f"the history reaches until {at}; ask again once it is further",
        "before": f"the history begins at {at}",
        "dropped": "that day is not kept any more",
        "gap": f"the history has a gap after {at}, {until} ({absence.reason}): what market {market} was then is not known",
        "left": f"market {market} was not on offer any more: it has left at {at}",
        "later": f"market {market} was not on offer yet: it is first seen at {at}",
        "never": f"the history has nothing of market {market}",
    }[absence.why]


def _gone(market: str) -> Any:
    return _raw(encoders.removal(Removal("market", market, EventId(""), "", "")))


def _raw(fragment: bytes) -> Any:
    """Return an encoded fragment verbatim in place of what it encodes."""
    return msgspec.Raw(fragment)


def _time(ms: int) -> str:
    return iso_time(ms, "milliseconds")
