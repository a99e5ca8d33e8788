"""A story's sources: whatever one says is said to the engine and to the oracle alike."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import (
    BookChange,
    EventUpdate,
    MarketDefinition,
    MarketGone,
    MarketUpdate,
    SelectionDefinition,
    SourceStatus,
    UpdateBatch,
)
from oddsengine.domain.ids import EventId, MarketId, SelectionKey
from oddsengine.engine.explain import explain
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.sourcing_rule import SourcingRule
from tests.oracles import statements
from tests.oracles.laws import Published
from tests.oracles.markets import rows_by_level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oddsengine.domain.feed_updates import FeedUpdate
    from tests.oracles.markets import MarketKind, Offers
    from tests.oracles.rules import Config, Settings

#: the keys of settings that the product has under `exchange`
_EXCHANGE = ("max_spread", "min_size", "min_depth", "last_traded", "last_traded_max_age_s")


class World:
    """The sources, the engine that hears them, and what the oracle has heard.

    Args:
        sources: whether each is a bookmaker, by name, most preferred first.
        config: of the engine.
    """

    def __init__(self, sources: Mapping[str, bool], config: Config) -> None:
        self.config = config
        self.said = statements.Statements({name: statements.Source(name, quotes) for name, quotes in sources.items()})
        self.pipeline = Pipeline(
            Pricer({name: _profile(settings) for name, settings in config.profiles.items()}),
            list(sources),
            sourcing=[SourcingRule(**asdict(config.sourcing))],
        )
        self.now_ms = 1_000_000
        for source in sources:
            self.set_health(source, "live")

    def set_health(self, source: str, health: Any) -> None:
        """Change a source's health."""
        self.said.sources[source].health = health
        self._send(source, SourceStatus(health, "story"))

    def describe(self, source: str, kind: MarketKind, event: statements.Event) -> None:
        """Describe an event."""
        self.said.sources[source].events[kind.event] = event
        described = Event(
            id=EventId(kind.event),
            sport=kind.sport,
            competition=Competition("cup", "Cup"),
            name=kind.event,
            start_ms=event.start_ms,
            in_play=event.in_play,
            score=event.score,
        )
        self._send(source, EventUpdate(described))

    def offer(self, source: str, kind: MarketKind, offers: Mapping[str, Offers], definition: statements.Market | None) -> None:
        """Publish new offers of some selections; with a definition it is a whole image, and replaces all that was said before."""
        saying = self.said.sources[source]
        if definition is not None:
            definition.received_ms = self.now_ms
            before = saying.markets.get(kind.id)
            definition.definitions = 1 if before is None else before.definitions + 1
            definition.open_since_ms = self.now_ms
            definition.at_removal = _removal(before, definition)
            saying.markets[kind.id] = definition
        held = saying.markets.get(kind.id)
        if held is None:
            return
        held.received_ms = self.now_ms
        self.said.changes += 1
        changes = [self._change(held, key, each, by_level=source.endswith("levels")) for key, each in offers.items()]
        stated = None if definition is None else _definition(kind, definition)
        self._send(source, MarketUpdate(kind.id, definition is not None, stated, changes))

    def say_nothing(self, source: str, kind: MarketKind) -> None:
        """Send an update without content."""
        if (held := self.said.sources[source].markets.get(kind.id)) is not None:
            held.received_ms = self.now_ms
            self._send(source, MarketUpdate(kind.id, books=[BookChange(key) for key in list(held.books)[:1]]))

    def trade(self, source: str, kind: MarketKind, key: str, odds: float) -> None:
        """Report a trade."""
        held = self.said.sources[source].markets.get(kind.id)
        if held is None or held.is_quoted:
            return
        book = held.books.setdefault(key, statements.Book())
        book.last, book.last_ms, book.changes = odds, self.now_ms, book.changes + 1
        self.said.changes += 1
        held.received_ms = self.now_ms
        self._send(source, MarketUpdate(kind.id, books=[BookChange(key, last=odds)]))

    def redefine(self, source: str, kind: MarketKind, definition: statements.Market) -> None:
        """Replace the definition of a market; the books stay."""
        before = self.said.sources[source].markets[kind.id]
        definition.books, definition.definitions = before.books, before.definitions + 1
        definition.received_ms = self.now_ms
        opens = definition.status == "open" and before.status != "open"
        definition.open_since_ms = self.now_ms if opens else before.open_since_ms
        definition.at_removal = _removal(before, definition) or before.at_removal
        can_win = {key for key, each in definition.selections.items() if each.status in {"active", "suspended"}}
        if set(definition.at_removal or ()) <= can_win:
            # It has been brought back.
            definition.at_removal = None
        self.said.sources[source].markets[kind.id] = definition
        self.said.changes += 1
        self._send(source, MarketUpdate(kind.id, definition=_definition(kind, definition)))

    def withdraw(self, source: str, kind: MarketKind) -> None:
        """Remove a market from a source."""
        if self.said.sources[source].markets.pop(kind.id, None) is not None:
            self.said.changes += 1
            self._send(source, MarketGone(kind.id))

    def _send(self, source: str, update: FeedUpdate) -> None:
        self.pipeline.receive(UpdateBatch(source, self.now_ms, [update]), self.now_ms)
        self.said.note_results()

    @staticmethod
    def _change(held: statements.Market, key: str, offers: Offers, *, by_level: bool) -> BookChange:
        book = held.books.setdefault(key, statements.Book())
        book.changes += 1
        if held.is_quoted:
            if book.quote != offers.quote and offers.quote is not None and held.at_removal is not None:
                selection = held.selections.get(key)
                if selection is not None and selection.status not in {"removed", "void"}:
                    held.at_removal = None if offers.quote != held.at_removal.get(key) else held.at_removal
            book.quote = offers.quote
            return BookChange(key, quote=offers.quote or 0.0)
        before_back, before_lay = book.back, book.lay
        if by_level:
            book.back, book.lay = dict(enumerate(offers.back)), dict(enumerate(offers.lay))
            return BookChange(
                key,
                back_levels=rows_by_level(offers.back, len(before_back)),
                lay_levels=rows_by_level(offers.lay, len(before_lay)),
            )
        book.back = {row[0]: row for row in offers.back}
        book.lay = {row[0]: row for row in offers.lay}
        return BookChange(key, back=_by_price(before_back, book.back), lay=_by_price(before_lay, book.lay))

    def flush(self) -> None:
        """Publish what is new."""
        self.pipeline.tick(self.now_ms)
        self.pipeline.flush(0, self.now_ms)
        self.pipeline.offers[0].commit(self.now_ms)

    def published(self, market: str) -> Published | None:
        """Return a market as it is on offer."""
        record = self.pipeline.offers[0].markets.get(MarketId(market))
        if record is None:
            return None
        published = Published(record.state.status, record.state.in_play)
        if record.state.status != "open":
            return published
        explained = explain(self.pipeline, MarketId(market), self.now_ms)
        assert explained is not None
        published.prices = {key: each.prices for key, each in record.selections.items()}
        published.fair = {
            key: tuple(each["profiles"][name]["fair"] for name in self.config.profiles)
            for key, each in explained["selections"].items()
        }
        if explained["consensus"]:
            published.used = tuple(explained["consensus"]["used"])
            published.outliers = tuple(explained["consensus"]["outliers"])
        return published


def _by_price(before: Mapping[float, Any], after: Mapping[float, tuple[float, float]]) -> list[tuple[float, float]]:
    return [*((odds, 0.0) for odds in before if odds not in after), *after.values()]


def _removal(before: statements.Market | None, after: statements.Market) -> dict[str, float] | None:
    """Return the quotes at the removal of a selection that could win; None where none is removed."""
    if before is None or not before.is_quoted:
        return None
    left = {key for key, each in after.selections.items() if each.status not in {"removed", "void"}}
    if all(each.status != "active" or key in left for key, each in before.selections.items()):
        return None
    return {key: book.quote for key, book in before.books.items() if book.quote is not None} or None


def _definition(kind: MarketKind, market: statements.Market) -> MarketDefinition:
    handicaps = {key: handicap for key, _, handicap in kind.selections}
    selections: Sequence[Any] = [
        SelectionDefinition(key, SelectionKey(key), key, each.status, handicaps[key])  # type: ignore[arg-type]
        for key, each in market.selections.items()
    ]
    return MarketDefinition(
        id=MarketId(kind.id),
        event=EventId(kind.event),
        type=kind.type,  # type: ignore[arg-type]
        period="ft",
        line=kind.line,
        winners=kind.winners,
        status=market.status,  # type: ignore[arg-type]
        in_play=market.in_play,
        start_ms=market.start_ms,
        selections=tuple(selections),
    )


def _profile(settings: Settings) -> Profile:
    values = {name: each for name, each in asdict(settings).items() if name not in _EXCHANGE}
    values["exchange"] = {name: getattr(settings, name) for name in _EXCHANGE}
    values["rules"] = [{**conditions, **changes} for conditions, changes in settings.rules]
    return msgspec.convert(values, Profile)
