"""Odds-API.io v3, without I/O: a WebSocket of changed market lists, and the snapshot that it continues.

Rules (Odds-API.io documentation, "WebSocket"):

- A frame may hold several objects, one per line. `created` and `updated` carry the complete market list of one event at one
  bookmaker: a market missing from it is gone. `deleted` and `no_markets` withdraw the whole list.
- There is neither recovery nor heartbeat: on every connection the state is fetched over REST while the stream is already open,
  and the lists streamed meanwhile are applied after it where they are newer. The feed is live once it has both.
- An event that is not listed yet makes the list be fetched again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from feeds.adapters.oddsapiio.markets import bad_lines, to_event, to_markets
from feeds.adapters.oddsapiio.messages import EventDetails, EventOdds, Market, StreamMessage
from feeds.errors import ProviderRefused
from feeds.feed import CodecEvent, Dropped, Rejected
from feeds.toolkit.quote_cache import QuoteCache
from feeds.toolkit.snapshot_fetcher import FetchChunk, ListPage
from feeds.toolkit.snapshot_sync import SnapshotSync
from feeds.toolkit.timestamps import is_older, time_ms
from feeds.transports.http import Request
from oddsengine.common.excerpts import echoed, excerpt
from oddsengine.domain.feed_updates import UpdateBatch
from oddsengine.domain.ids import EventId, event_id

if TYPE_CHECKING:
    from feeds.adapters.oddsapiio.config import OddsApiIoConfig
    from feeds.transports.http import Response
    from oddsengine.domain.feed_updates import FeedUpdate

#: The provider's limit.
_EVENTS_PER_REQUEST: Final = 10
_ENDED: Final = frozenset({"settled", "cancelled"})
#: A larger timestamp is in milliseconds, a smaller one in seconds.
_MIN_MILLISECONDS: Final = 1e11
_MAX_LINE_BYTES: Final = 16 * 1024 * 1024

_decode_message = msgspec.json.Decoder(StreamMessage).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_details = msgspec.json.Decoder(EventDetails).decode
_decode_odds = msgspec.json.Decoder(EventOdds).decode
_decode_market = msgspec.json.Decoder(Market).decode


class _MarketList(NamedTuple):
    """The market list of an event at one bookmaker, and its time (Unix milliseconds)."""

    markets: list[Market]
    at_ms: int


class OddsApiIoCodec(SnapshotSync):
    """The stream of one key.

    Args:
        name: the feed's name; its sources are `<name>.<bookmaker>`, in lower case.
        config: the feed's config block.
    """

    def __init__(self, name: str, config: OddsApiIoConfig) -> None:
        super().__init__(_EVENTS_PER_REQUEST)
        self._name = name
        self._config = config
        self._buffer = b""
        self._quote_caches = {bookmaker.lower(): QuoteCache() for bookmaker in config.bookmakers}
        self._events: dict[EventId, EventDetails] = {}
        #: (bookmaker, event) -> the current market list
        self._lists: dict[tuple[str, EventId], _MarketList] = {}
        #: (bookmaker, event) -> a streamed market list whose event has no snapshot yet
        self._pending: dict[tuple[str, EventId], _MarketList] = {}

    @property
    def silence_limit_s(self) -> float:
        """No limit: the stream has no heartbeat, so pings and the quiet limits detect a dead connection."""
        return float("inf")

    def connection_made(self) -> None:
        """Start a new stream; the snapshot is fetched beside it."""
        super().connection_made()
        self._buffer = b""
        self._pending.clear()

    def reset(self) -> None:
        """Reset nothing: every connection fetches the state."""

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Process bytes of the stream; see `feeds.feed.Codec`."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        events: list[CodecEvent] = []
        for line in lines:
            if line.strip():
                try:
                    message = _decode_message(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    # It may have concerned any event, and nothing is sent twice.
                    text = "a message could not be read; fetching everything again"
                    events += [Rejected("message", str(error), excerpt(line)), ProviderRefused("UNREADABLE", text, fatal=False)]
                    return events
                self._receive_message(message, events)
        events += self._take_rejected()
        if len(self._buffer) > _MAX_LINE_BYTES:
            events.append(ProviderRefused("LINE_TOO_LONG", f"a line exceeds {_MAX_LINE_BYTES} bytes", fatal=False))
        return events

    # -- the snapshot ---------------------------------------------------------------------------------------------

    def next_request(self, now_ms: int) -> Request | None:
        """Return the request for the list of events, or for the odds of the next events."""
        wanted = self._fetcher.next_step(now_ms)
        if isinstance(wanted, ListPage):
            params = (("sport", self._config.sport), ("status", "pending,live"))
            return Request(name="events", url="/v3/events", params=params)
        if isinstance(wanted, FetchChunk):
            keys = ",".join(wanted.keys)
            params = (("eventIds", keys), ("bookmakers", ",".join(self._config.bookmakers)))
            return Request(name="odds", key=keys, url="/v3/odds/multi", params=params)
        return None

    def _sources(self) -> list[str]:
        return [self._source(bookmaker) for bookmaker in self._quote_caches]

    def _decode_response(self, response: Response, events: list[CodecEvent]) -> None:
        raws = _decode_list(response.body)
        if response.request.name == "events":
            self._receive_events(raws, response.at_ms, events)
        else:
            self._receive_snapshot(raws, response.request.key.split(","), events)
        events += self._take_rejected()

    def _receive_events(self, raws: list[msgspec.Raw], now_ms: int, events: list[CodecEvent]) -> None:
        updates: dict[str, list[FeedUpdate]] = {bookmaker: [] for bookmaker in self._quote_caches}
        listed: list[str] = []
        for raw in raws:
            try:
                details = _decode_details(raw)
            except msgspec.DecodeError as error:
                events.append(Rejected("event", str(error), excerpt(bytes(raw))))
                continue
            if details.status in _ENDED:
                continue
            listed.append(str(details.id))
            event = to_event(self._name, details, self._event_id(details.id))
            if event.start_ms is None:
                events.append(Rejected(f"start of event {details.id}", f"{echoed(details.date)} is not a time", ""))
            known = self._events.get(event.id)
            self._events[event.id] = details
            for bookmaker, quote_cache in self._quote_caches.items():
                updates[bookmaker] += quote_cache.update_event(event)
                if known is not None and known.status != details.status:
                    updates[bookmaker] += self._requote(bookmaker, event.id)
        for key in sorted(self._fetcher.add_page(listed, more=False, now_ms=now_ms)):
            gone = self._event_id(key)
            self._events.pop(gone, None)
            for bookmaker, quote_cache in self._quote_caches.items():
                updates[bookmaker] += quote_cache.remove_event(gone)
                self._lists.pop((bookmaker, gone), None)
        events += [UpdateBatch(self._source(bookmaker), None, changes) for bookmaker, changes in updates.items() if changes]

    def _receive_snapshot(self, raws: list[msgspec.Raw], requested: list[str], events: list[CodecEvent]) -> None:
        """Apply the snapshot of some events, then the lists streamed since the connection was opened."""
        fetched: dict[tuple[str, EventId], _MarketList] = {}
        for raw in raws:
            try:
                odds = _decode_odds(raw)
            except msgspec.DecodeError as error:
                events.append(Rejected("odds of an event", str(error), excerpt(bytes(raw))))
                continue
            for bookmaker, raw_markets in odds.bookmakers.items():
                markets = self._decode_markets(raw_markets, f"{bookmaker} on event {odds.id}", events)
                at_ms = max((time_ms(market.updated_at) or 0 for market in markets), default=0)
                fetched[bookmaker.lower(), self._event_id(odds.id)] = _MarketList(markets, at_ms)
        self._fetcher.mark_fetched(requested)
        batches: list[UpdateBatch] = []
        for bookmaker in self._quote_caches:
            updates: list[FeedUpdate] = []
            for key in requested:
                event = self._event_id(key)
                place = (bookmaker, event)
                # The stream may be ahead of the snapshot, but only the stream of this connection.
                streamed = self._pending.pop(place, None) or (self._lists.get(place) if self._is_live else None)
                snapshot = fetched.get(place, _MarketList([], 0))
                self._lists[place] = streamed if streamed is not None and streamed.at_ms > snapshot.at_ms else snapshot
                updates += self._requote(bookmaker, event)
            batches.append(UpdateBatch(self._source(bookmaker), None, updates))
        events += self._snapshot_events(batches)

    # -- the stream -----------------------------------------------------------------------------------------------

    def _receive_message(self, message: StreamMessage, events: list[CodecEvent]) -> None:
        bookmaker = message.bookie.lower()
        if message.type not in {"created", "updated", "deleted", "no_markets"} or not message.id:
            events.append(Dropped(f"type {message.type}"))
            return
        key = str(message.id)
        at_ms = round(message.timestamp if message.timestamp > _MIN_MILLISECONDS else message.timestamp * 1000)
        is_withdrawn = message.type in {"deleted", "no_markets"}
        if is_withdrawn and not bookmaker:
            for each in self._quote_caches:
                self._apply_list(each, key, _MarketList([], at_ms), events)
            return
        if bookmaker not in self._quote_caches:
            events.append(Dropped("unrequested bookmaker"))
            return
        markets: list[Market] = []
        if not is_withdrawn:
            for raw in message.markets:
                markets += self._decode_market(raw, f"{message.bookie} on event {key}", events)
        self._apply_list(bookmaker, key, _MarketList(markets, at_ms), events)

    def _apply_list(self, bookmaker: str, key: str, markets: _MarketList, events: list[CodecEvent]) -> None:
        """Apply a streamed market list, or keep it until the snapshot of its event has arrived."""
        place = (bookmaker, self._event_id(key))
        if key not in self._fetcher.ready:
            pending = self._pending.get(place)
            if pending is None or not is_older(markets.at_ms, pending.at_ms):
                self._pending[place] = markets
            if key not in self._fetcher.known and self._fetcher.is_complete:
                self._fetcher.relist()
            return
        known = self._lists.get(place)
        if known is not None and is_older(markets.at_ms, known.at_ms):
            events.append(Dropped("older than what is known"))
            return
        self._lists[place] = markets
        updates = self._requote(*place)
        if updates:
            events.append(UpdateBatch(self._source(bookmaker), markets.at_ms or None, updates))

    # -- inside ---------------------------------------------------------------------------------------------------

    def _take_rejected(self) -> list[Rejected]:
        return [each for bookmaker, cache in self._quote_caches.items() for each in cache.take_rejected(bookmaker)]

    def _source(self, bookmaker: str) -> str:
        return f"{self._name}.{bookmaker}"

    def _event_id(self, key: str | int) -> EventId:
        return event_id(self._name, str(key))

    def _decode_markets(self, raw: msgspec.Raw, where: str, events: list[CodecEvent]) -> list[Market]:
        try:
            raws = _decode_list(raw)
        except msgspec.DecodeError as error:
            events.append(Rejected(f"markets of {where}", str(error), excerpt(bytes(raw))))
            return []
        return [market for each in raws for market in self._decode_market(each, where, events)]

    @staticmethod
    def _decode_market(raw: msgspec.Raw, where: str, events: list[CodecEvent]) -> list[Market]:
        """Decode one market. One that can't be decoded is rejected, and withdrawn by its absence."""
        try:
            market = _decode_market(raw)
        except msgspec.DecodeError as error:
            events.append(Rejected(f"market of {where}", str(error), excerpt(bytes(raw))))
            return []
        events += [Rejected(f"line of {where}", problem, excerpt(bytes(raw))) for problem in bad_lines(market)]
        return [market]

    def _requote(self, bookmaker: str, event: EventId) -> list[FeedUpdate]:
        """Translate the market list of an event and return what has changed."""
        details = self._events.get(event)
        if details is None:
            return []
        quote_cache = self._quote_caches[bookmaker]
        current = self._lists.get((bookmaker, event), _MarketList([], 0))
        updates: list[FeedUpdate] = []
        retained: list[str] = []
        for market in current.markets:
            for definition, prices in to_markets(event, details, market, partial(quote_cache.has_draw, event)):
                if definition.id not in retained:
                    retained.append(definition.id)
                    updates += quote_cache.update_market(definition, prices)
        return updates + quote_cache.retain_markets(event, retained)
