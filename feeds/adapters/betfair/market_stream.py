"""Betfair market change messages to feed updates, without I/O.

Rules (Exchange Stream API documentation, "Market streaming"):

- `ct: SUB_IMAGE` replaces everything: a market it does not name is gone. `img: true` replaces one market.
- Segments of one message belong together; nothing is said before the last has come.
- A message of a subscription other than the current one is dropped.
- `status: 503` means that the provider is behind: its data lags until a message comes without it.
- `con: true` (conflated) changes nothing for us: rows are absolute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feeds.adapters.betfair.definitions import event_of, runner_ref, to_event, to_market
from feeds.adapters.betfair.messages import MarketChange, MarketName, Message, RawMarketsMessage, RunnerChange
from feeds.errors import BadMessage
from feeds.feed import CodecEvent, Dropped, Rejected
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.feed_updates import (
    BookChange,
    EventUpdate,
    FeedUpdate,
    MarketGone,
    MarketUpdate,
    SourceStatus,
    UpdateBatch,
)

if TYPE_CHECKING:
    from feeds.adapters.betfair.account import CatalogueMarket
    from feeds.adapters.betfair.messages import Definition
    from oddsengine.domain.events import Event
    from oddsengine.domain.ids import EventId

_decode = msgspec.json.Decoder(Message).decode
#: Betfair's own samples carry numbers as strings here and there; read so only where the strict way failed.
_decode_markets = msgspec.json.Decoder(RawMarketsMessage, strict=False).decode
_decode_market = msgspec.json.Decoder(MarketChange, strict=False).decode
_decode_name = msgspec.json.Decoder(MarketName, strict=False).decode


def decode(line: bytes) -> tuple[Message, list[Rejected]]:
    """Read one message; a market in it that can't be read is rejected alone.

    Raises:
        BadMessage: if the message as a whole can't be read.
    """
    try:
        return _decode(line), []
    except msgspec.DecodeError as error:
        return _decode_apart(line, error)


def _decode_apart(line: bytes, cause: msgspec.DecodeError) -> tuple[Message, list[Rejected]]:
    """Read a message market by market after it failed as a whole."""
    try:
        raw_markets = _decode_markets(line).mc
        envelope = msgspec.json.decode(line)
        if not isinstance(envelope, dict):
            raise BadMessage("message", "expected an object")
        message = msgspec.convert({**envelope, "mc": None}, Message, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadMessage("message", str(cause)) from cause
    changes: list[MarketChange] = []
    rejected: list[Rejected] = []
    for raw in raw_markets:
        try:
            changes.append(_decode_market(raw))
        except msgspec.DecodeError as error:
            rejected.append(Rejected(f"market {_market_name(raw)}", str(error), excerpt(bytes(raw))))
    message.mc = changes
    return message, rejected


def _market_name(raw: msgspec.Raw) -> str:
    try:
        return _decode_name(raw).id
    except msgspec.DecodeError:
        return "?"


class MarketStream:
    """Turns one source's market change messages into updates.

    It knows which markets the source has named and which image is being put together, nothing of their prices.

    Args:
        source: the name updates carry.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.subscription: int | None = None
        self.lagging = False
        self._known: set[str] = set()
        self._segments: list[MarketChange] = []
        self._events: dict[EventId, Event] = {}
        self._in_play: dict[EventId, set[str]] = {}
        self._refs: dict[tuple[int, float], str] = {}
        #: whether events wait until their markets' names have come from the catalogue
        self.wants_names = False
        #: markets whose names are wanted, for whoever asks for them to take out
        self.unnamed: list[str] = []
        self._names: dict[str, CatalogueMarket | None] = {}
        self._definitions: dict[str, Definition] = {}

    def read_line(self, line: bytes) -> list[CodecEvent]:
        """Read one recorded message (see `feeds.feed.RecordingReader`)."""
        try:
            message, rejected = decode(line)
        except BadMessage as error:
            return [Rejected(error.where, error.reason, excerpt(line))]
        if message.op != "mcm":
            return [*rejected, Dropped(f"op {message.op}")]
        return [*rejected, *self.receive(message)]

    def forget_segments(self) -> None:
        """Drop a half-received image; its rest can't come on another connection."""
        self._segments = []

    def receive(self, message: Message) -> list[CodecEvent]:
        """Turn one market change message into at most one batch."""
        if message.id is not None and self.subscription is not None and message.id != self.subscription:
            return [Dropped("old subscription")]
        updates: list[FeedUpdate] = []
        self._note_lag(message, updates)
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
            self._image(changes or [], updates)
        elif changes:
            for change in changes:
                self._market(change, change.img, updates)
        return [UpdateBatch(self.source, message.pt, updates)] if updates else []

    def _note_lag(self, message: Message, updates: list[FeedUpdate]) -> None:
        lagging = message.status is not None
        if lagging != self.lagging:
            self.lagging = lagging
            health = (
                SourceStatus("lagging", f"provider status {message.status}") if lagging else SourceStatus("live", "caught up")
            )
            updates.append(health)

    def _image(self, changes: list[MarketChange], updates: list[FeedUpdate]) -> None:
        """Apply an image of everything; of two images of one market the one with the higher version stands."""
        newest: dict[str, int] = {}
        for change in changes:
            version = change.market_definition.version if change.market_definition else -1
            newest[change.id] = max(version, newest.get(change.id, -1))
        for gone in sorted(self._known - newest.keys()):
            self._forget(gone)
            updates.append(MarketGone(gone))
        begun: set[str] = set()
        for change in changes:
            version = change.market_definition.version if change.market_definition else -1
            if change.img and version < newest[change.id]:
                continue
            self._market(change, change.img or change.id not in begun, updates)
            begun.add(change.id)

    def _forget(self, market: str) -> None:
        self._known.discard(market)
        self._definitions.pop(market, None)
        self._names.pop(market, None)
        for playing in self._in_play.values():
            playing.discard(market)

    def _market(self, change: MarketChange, image: bool, updates: list[FeedUpdate]) -> None:  # noqa: FBT001 - hot path
        market = change.id
        self._known.add(market)
        definition = change.market_definition
        runners = change.rc
        books = [self._book(runner) for runner in runners] if runners else []
        if definition is None:
            updates.append(MarketUpdate(market, image, None, books))
            return
        names: CatalogueMarket | None = None
        if self.wants_names:
            if market not in self._definitions:
                self.unnamed.append(market)
            self._definitions[market] = definition
            names = self._names.get(market)
        event = event_of(self.source, definition)
        playing = self._in_play.setdefault(event, set())
        if definition.in_play and definition.status != "CLOSED":
            playing.add(market)
        else:
            playing.discard(market)
        if not self.wants_names or market in self._names:
            self._describe(event, to_event(self.source, definition, in_play=bool(playing), names=names), updates)
        updates.append(MarketUpdate(market, image, to_market(self.source, market, definition, names), books))

    def name(self, found: list[CatalogueMarket], asked: list[str]) -> UpdateBatch:
        """Take the names of markets; those asked for that have none are described by their ids from here on."""
        by_id = {each.market_id: each for each in found}
        updates: list[FeedUpdate] = []
        for market in asked:
            definition = self._definitions.get(market)
            names = self._names[market] = by_id.get(market)
            if definition is None:
                continue
            event = event_of(self.source, definition)
            in_play = bool(self._in_play.get(event))
            self._describe(event, to_event(self.source, definition, in_play=in_play, names=names), updates)
            updates.append(MarketUpdate(market, definition=to_market(self.source, market, definition, names)))
        return UpdateBatch(self.source, None, updates)

    def _describe(self, event: EventId, described: Event, updates: list[FeedUpdate]) -> None:
        if self._events.get(event) != described:
            self._events[event] = described
            updates.append(EventUpdate(described))

    def _book(self, runner: RunnerChange) -> BookChange:
        key = (runner.id, runner.hc)
        ref = self._refs.get(key)
        if ref is None:
            ref = self._refs[key] = runner_ref(runner.id, runner.hc)
        return BookChange(ref, runner.atb, runner.atl, runner.batb, runner.batl, runner.bdatb, runner.bdatl, runner.ltp)
