"""The judgement of whether a source's market may be open: by the health of its feed, and by what others know of its event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.domain.events import has_level_score
from oddsengine.domain.feed_updates import MarketDefinition
from oddsengine.domain.market_types import counts_from_score
from oddsengine.sourcing.final_results import has_result
from oddsengine.sourcing.source_book import SourceBook, SourceMarket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.domain.events import Event
    from oddsengine.domain.ids import EventId
    from oddsengine.sourcing.sourcing_rule import SourcingRule

#: Reason of a market that its source offers as before the start while another live source knows the event to be in play.
IN_PLAY_ELSEWHERE: Final = "in_play_elsewhere"
#: Reason of a market that its source offers while another one has closed it.
CLOSED_ELSEWHERE: Final = "closed_elsewhere"
#: Reason of an Asian handicap in play whose source counts other goals than the first one, while the sides are not level.
COUNTS_OTHERWISE: Final = "counts_otherwise"


class Candidate(NamedTuple):
    """A source of a market; `reason` is why its market may not be open although it says so, None if it may."""

    book: SourceBook
    market: SourceMarket
    definition: MarketDefinition
    reason: str | None

    @property
    def is_live(self) -> bool:
        """Whether its feed is trusted now."""
        return self.book.health == "live"

    @property
    def is_healthy(self) -> bool:
        """Whether its market is open, and may be."""
        return self.reason is None and self.definition.status == "open"

    @property
    def healthy_since_ms(self) -> int:
        """The time since which it is live and its market open, Unix milliseconds."""
        return max(self.book.live_since_ms, self.market.open_since_ms)


Known = tuple[SourceBook, SourceMarket, MarketDefinition]


def judge(known: list[Known], rule: SourcingRule, begun: Mapping[EventId, Event], *, is_closed: bool) -> list[Candidate]:
    """Return each source with why its market may not be open, by its own health and the state of the others.

    Args:
        known: the sources, in the config's order.
        rule: the sourcing rule that applies.
        begun: the events that a source knows to have begun.
        is_closed: whether a source has closed the market.
    """
    in_play = False
    decided_by: SourceBook | None = None
    for book, _, definition in known:
        is_live = book.health == "live"
        # What has begun stays begun, also when the source that has it in play is lost or lags.
        if definition.in_play:
            in_play = True
        # A result stands even after its source has gone down.
        if definition.status == "closed" and (is_live or has_result(definition)):
            is_closed = True
        if len(known) > 1 and _has_all_winners(definition):
            decided_by = book
    return [
        Candidate(
            book,
            market,
            definition,
            refusal(
                book,
                definition,
                rule,
                begun,
                in_play=in_play,
                # The pricing of the source that names the winners refuses them by itself.
                is_closed=is_closed or (decided_by is not None and decided_by is not book),
            )
            or (_counts_otherwise(definition, known[0][2], begun) if definition.in_play else None),
        )
        for book, market, definition in known
    ]


def _counts_otherwise(definition: MarketDefinition, first: MarketDefinition, begun: Mapping[EventId, Event]) -> str | None:
    """Return why a source's price is of another bet than the first source's has under the same id, None if it is not."""
    if definition.counts_all_goals == first.counts_all_goals:
        return None
    event = begun.get(definition.event)
    if event is not None and definition.unit is None and has_level_score(event):
        return None
    sport = "football" if event is None else event.sport
    return COUNTS_OTHERWISE if counts_from_score(definition, sport) or counts_from_score(first, sport) else None


def _has_all_winners(definition: MarketDefinition) -> bool:
    """Check whether as many selections have won as can, whatever the market's status."""
    return 0 < definition.winners <= sum(selection.status == "winner" for selection in definition.selections)


def refusal(
    book: SourceBook,
    definition: MarketDefinition,
    rule: SourcingRule,
    begun: Mapping[EventId, Event],
    *,
    in_play: bool = False,
    is_closed: bool = False,
) -> str | None:
    """Return why a source's market may not be open although it says so, None if it may.

    Args:
        book: the source.
        definition: the market as it has it.
        rule: the sourcing rule that applies.
        begun: the events that a source knows to have begun.
        in_play: whether a source said last that the market is in play.
        is_closed: whether another source has closed the market.
    """
    if book.health != "live":
        return f"source_{book.health}"
    if not rule.shared_state or definition.status != "open":
        return None
    if is_closed:
        return CLOSED_ELSEWHERE
    if definition.in_play or not (in_play or _has_begun(definition, begun)) or rule.is_late(book.source):
        return None
    return IN_PLAY_ELSEWHERE


def _has_begun(definition: MarketDefinition, begun: Mapping[EventId, Event]) -> bool:
    """Check whether the event of a market has begun, and with it the market: one that starts later has not."""
    event = begun.get(definition.event)
    return event is not None and (definition.start_ms is None or event.start_ms is None or definition.start_ms <= event.start_ms)
