"""Translates Betfair's market change messages into feed updates, without I/O.

Rules (Exchange Stream API documentation, "Market streaming"):

- `ct: SUB_IMAGE` replaces everything: a market it does not list is gone. `img: true` replaces one market.
- The segments of one message are applied together, once the last has arrived.
- A message of any subscription but the current one is dropped.
- A definition with a lower `version` than the last one was sent before it, and does not count, except in an image.
- `status: 503` means that the provider is behind: its data lags until a message arrives without it.
- `con: true` (conflated) needs no treatment, because rows are absolute.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from feeds.adapters.betfair.decoding import decode_message
from feeds.adapters.betfair.markets import event_of, runner_ref, to_event, to_markets
from feeds.adapters.betfair.messages import Definition
from feeds.adapters.betfair.translation.line_markets import LineMarkets
from feeds.errors import BadMessage
from feeds.feed import CodecEvent, Dropped, Rejected
from oddsengine.common import speedups
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.feed_updates import (
    BookChange,
    EventUpdate,
    FeedUpdate,
    MarketUpdate,
    SourceStatus,
    UpdateBatch,
)

if TYPE_CHECKING:
    from feeds.adapters.betfair.messages import CatalogueMarket, MarketChange, Message, RunnerChange
    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import EventId

#: What of a definition its markets depend on: a new version alone, or the event's score, changes none of them.
_OF_MARKETS: Final = attrgetter(*[name for name in Definition.__struct_fields__ if name not in {"version", "simulated"}])


class MarketStream:
    """Translates the market change messages of one source.

    It keeps track of the source's markets and of the image being assembled, but not of prices.

    Args:
        source: the source of its updates.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.subscription: int | None = None
        self.lagging = False
        self._known: set[str] = set()
        self._lines = LineMarkets()
        self._segments: list[MarketChange] = []
        self._events: dict[EventId, Event] = {}
        self._in_play: dict[EventId, set[str]] = {}
        self._refs: dict[tuple[int, float | None], str] = {}
        #: whether events are held back until the catalogue has named their markets
        self.wants_names = False
        #: markets to look up in the catalogue; the codec takes them out
        self.unnamed: list[str] = []
        self._names: dict[str, CatalogueMarket | None] = {}
        self._definitions: dict[str, Definition] = {}
        #: market -> the version of its definition
        self._versions: dict[str, int] = {}
        #: market -> what its last translation was made of, and that translation
        self._translated: dict[str, tuple[Any, list[tuple[str, MarketDefinition]]]] = {}

    def read_line(self, line: bytes) -> list[CodecEvent]:
        """Translate one recorded message; see `feeds.feed.RecordingReader`."""
        try:
            message, rejected = decode_message(line)
        except BadMessage as error:
            return [Rejected(error.where, error.reason, excerpt(line))]
        if message.op != "mcm":
            return [*rejected, Dropped(f"op {message.op}")]
        return [*rejected, *self.receive(message)]

    def forget_segments(self) -> None:
        """Discard an image received in part; its other segments can't arrive on another connection."""
        self._segments = []

    def receive(self, message: Message) -> list[CodecEvent]:
        """Translate one market change message into at most one batch."""
        if message.id is not None and self.subscription is not None and message.id != self.subscription:
            return [Dropped("old subscription")]
        updates: list[FeedUpdate] = []
        self._update_health(message, updates)
        changes = message.mc
        segment = message.segment_type
        if segment is not None and segment != "NONE":
            if segment == "SEG_START":
                self._segments = []
            self._segments += changes or ()
            if segment != "SEG_END":
                return [UpdateBatch(self.source, message.pt, updates)] if updates else []
            changes, self._segments = self._segments, []
        if message.ct == "SUB_IMAGE":
            self._apply_image(changes or [], updates)
        elif changes:
            for change in changes:
                self._apply_change(change, change.img, updates)
        return [UpdateBatch(self.source, message.pt, updates)] if updates else []

    def _update_health(self, message: Message, updates: list[FeedUpdate]) -> None:
        lagging = message.status is not None
        if lagging != self.lagging:
            self.lagging = lagging
            health = (
                SourceStatus("lagging", f"provider status {message.status}") if lagging else SourceStatus("live", "caught up")
            )
            updates.append(health)

    def _apply_image(self, changes: list[MarketChange], updates: list[FeedUpdate]) -> None:
        """Apply a full image. Of two images of one market, the one with the higher version wins."""
        newest: dict[str, int] = {}
        for change in changes:
            version = change.market_definition.version if change.market_definition else -1
            newest[change.id] = max(version, newest.get(change.id, -1))
        for gone in sorted(self._known - newest.keys()):
            self._forget(gone)
            updates += self._lines.remove(gone)
        started: set[str] = set()
        for change in changes:
            version = change.market_definition.version if change.market_definition else -1
            if change.img and version < newest[change.id]:
                continue
            self._apply_change(change, change.img or change.id not in started, updates)
            started.add(change.id)

    def _forget(self, market: str) -> None:
        self._known.discard(market)
        self._definitions.pop(market, None)
        self._versions.pop(market, None)
        self._translated.pop(market, None)
        self._names.pop(market, None)
        for in_play in self._in_play.values():
            in_play.discard(market)

    def _apply_change(self, change: MarketChange, image: bool, updates: list[FeedUpdate]) -> None:  # noqa: FBT001 - hot path
        market = change.id
        self._known.add(market)
        definition = change.market_definition
        if definition is not None:
            # Without a version, as in some recordings, nothing says that it is older.
            if not image and 0 < definition.version < self._versions.get(market, 0):
                definition = None
            else:
                self._versions[market] = definition.version
        runners = change.rc
        books = self._books(runners) if runners else []
        if definition is None:
            if market in self._lines.whole:
                updates.append(MarketUpdate(market, image, None, books))
            else:
                updates += self._lines.update(market, books, image=image)
            return
        names: CatalogueMarket | None = None
        if self.wants_names:
            if market not in self._definitions:
                self.unnamed.append(market)
            self._definitions[market] = definition
            names = self._names.get(market)
        event = event_of(self.source, definition)
        in_play = self._in_play.setdefault(event, set())
        if definition.in_play and definition.status != "CLOSED":
            in_play.add(market)
        else:
            in_play.discard(market)
        if not self.wants_names or market in self._names:
            self._describe(event, to_event(self.source, definition, in_play=bool(in_play), names=names), updates)
        updates += self._lines.define(market, self._translate(market, definition, names), books, image=image)

    def apply_names(self, found: list[CatalogueMarket], requested: list[str]) -> UpdateBatch:
        """Apply names from the catalogue. From now on, requested markets without one are described by their ids."""
        by_id = {each.market_id: each for each in found}
        updates: list[FeedUpdate] = []
        for market in requested:
            definition = self._definitions.get(market)
            names = self._names[market] = by_id.get(market)
            if definition is None:
                continue
            event = event_of(self.source, definition)
            in_play = bool(self._in_play.get(event))
            self._describe(event, to_event(self.source, definition, in_play=in_play, names=names), updates)
            updates += self._lines.define(market, self._translate(market, definition, names), [], image=False)
        return UpdateBatch(self.source, None, updates)

    def _translate(
        self, market: str, definition: Definition, names: CatalogueMarket | None
    ) -> list[tuple[str, MarketDefinition]]:
        """Translate a definition, unless it is the last one again."""
        origin = (_OF_MARKETS(definition), names)
        last = self._translated.get(market)
        if last is not None and last[0] == origin:
            return last[1]
        markets = to_markets(self.source, market, definition, names)
        self._translated[market] = (origin, markets)
        return markets

    def _describe(self, event: EventId, described: Event, updates: list[FeedUpdate]) -> None:
        if self._events.get(event) != described:
            self._events[event] = described
            updates.append(EventUpdate(described))

    def _books(self, runners: list[RunnerChange]) -> list[BookChange]:
        refs = self._refs
        if speedups.books is not None:
            return speedups.books.read_runners(runners, refs, self._add_ref, BookChange)
        # Without a call for each: some four of every message.
        return [
            BookChange(
                refs.get((runner.id, runner.hc)) or self._add_ref(runner),
                runner.atb,
                runner.atl,
                runner.batb,
                runner.batl,
                runner.bdatb,
                runner.bdatl,
                runner.ltp,
            )
            for runner in runners
        ]

    def _add_ref(self, runner: RunnerChange) -> str:
        ref = self._refs[runner.id, runner.hc] = runner_ref(runner.id, runner.hc or 0.0)
        return ref
