"""The markets of the stories of what is kept, as their sources have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from oddsengine.domain.feed_updates import BookChange, MarketDefinition, SelectionDefinition
from oddsengine.domain.ids import EventId, MarketId, SelectionKey
from oddsengine.sourcing.matching.matcher import feed_of
from tests.support.laws.kept_stories import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.sourcing.selection_book import SelectionBook


def whole_of(key: str, book: SelectionBook) -> BookChange:
    """Return the change that sends a whole book."""
    return BookChange(key, back=[*book.back.items()], lay=[*book.lay.items()], last=book.last, quote=book.quote)


def quotes(source: str) -> bool:
    """Check whether a source quotes its own odds."""
    return source.startswith("b.")


def id_at(source: str, event: str, kind: str) -> str:
    """Return the source's own id of a market."""
    return f"{source}:{event}:{kind}"


def definition_of(source: str, event: str, kind: str) -> MarketDefinition:
    """Return what a source first says of a market."""
    of = KINDS[kind]
    key = f"{feed_of(source)}.{event}"
    return MarketDefinition(
        id=MarketId(f"{key}/{kind}"),
        event=EventId(key),
        type=of.type,  # type: ignore[arg-type]
        period="ft" if "/" in kind else None,
        line=of.line,
        winners=of.winners,
        status="open",
        selections=tuple(SelectionDefinition(f"s-{each}", SelectionKey(each), each.title(), "active") for each in of.fair),
    )


def with_statuses(definition: MarketDefinition, statuses: Mapping[str, str]) -> tuple[SelectionDefinition, ...]:
    """Return the selections of a market, some with other statuses."""
    return tuple(msgspec.structs.replace(each, status=statuses.get(each.key, each.status)) for each in definition.selections)
