"""Odds-API.io v3, without I/O: a WebSocket of changed market lists, and the snapshot that it continues.

Rules (Odds-API.io documentation, "WebSocket"):

- One frame may hold several objects, one a line. `created` and `updated` carry the whole market list of one event at one
  bookmaker: a market that is not in it is gone. `deleted` and `no_markets` withdraw all of it.
- There is no recovery and no heartbeat: after every connection the state is fetched over REST while the stream is already
  open, and what the stream said meanwhile is applied after it where it is newer. Live is who has both.
- An event that the list has not named yet makes the list be asked for again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from feeds.adapters.oddsapiio.messages import EventDetails, EventOdds, Market, Price, Slug, StreamMessage
from feeds.errors import ProviderRefused
from feeds.feed import CodecEvent, Dropped, Rejected
from feeds.toolkit.quote_cache import QuoteCache, decimal_odds
from feeds.toolkit.snapshot_fetcher import FetchChunk, ListPage
from feeds.toolkit.snapshot_sync import SnapshotSync
from feeds.toolkit.standard_markets import Phase, asian_handicap, both_to_score, match_result, total
from feeds.toolkit.timestamps import is_older
from feeds.transports.http import Request
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import UpdateBatch
from oddsengine.domain.ids import EventId, event_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feeds.adapters.oddsapiio.config import OddsApiIoConfig
    from feeds.transports.http import Response
    from oddsengine.domain.feed_updates import FeedUpdate, MarketDefinition

SPORTS: Final[dict[str, str]] = {
    "american-football": "american_football",
    "ice-hockey": "ice_hockey",
    "mma": "mixed_martial_arts",
}
#: The provider gives the odds of ten events in one answer.
_EVENTS_A_QUESTION: Final = 10
_OVER: Final = frozenset({"settled", "cancelled"})
#: A timestamp above this is in milliseconds.
_MILLISECONDS: Final = 1e11
_MAX_LINE_BYTES: Final = 16 * 1024 * 1024

_decode_message = msgspec.json.Decoder(StreamMessage).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_details = msgspec.json.Decoder(EventDetails).decode
_decode_odds = msgspec.json.Decoder(EventOdds).decode
_decode_market = msgspec.json.Decoder(Market).decode


class _Listed(NamedTuple):
    """One bookmaker's market list for an event, and when it was so (Unix milliseconds)."""

    markets: list[Market]
    at_ms: int


class OddsApiIoCodec(SnapshotSync):
    """One key's stream.

    Args:
        name: the feed's name; its sources are `<name>.<bookmaker>`, in lower case.
        config: the feed's block.
    """

    def __init__(self, name: str, config: OddsApiIoConfig) -> None:
        super().__init__(_EVENTS_A_QUESTION)
        self._name = name
        self._config = config
        self._buffer = b""
        self._quote_caches = {bookmaker.lower(): QuoteCache() for bookmaker in config.bookmakers}
        self._events: dict[EventId, EventDetails] = {}
        #: (bookmaker, event) -> what is known of it
        self._known: dict[tuple[str, EventId], _Listed] = {}
        #: the same, said by the stream before the event was fetched
        self._waiting: dict[tuple[str, EventId], _Listed] = {}

    @property
    def silence_limit_s(self) -> float:
        """Leave silence to the pings and to the watch on what moves: the stream has no heartbeat."""
        return float("inf")

    def connection_made(self) -> None:
        """Begin a new stream; the state is fetched beside it."""
        super().connection_made()
        self._buffer = b""
        self._waiting.clear()

    def reset(self) -> None:
        """Do nothing: every connection fetches the state."""

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Take bytes of the stream; see `feeds.feed.Codec`."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        events: list[CodecEvent] = []
        for line in lines:
            if line.strip():
                try:
                    message = _decode_message(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    # It may have been about anything, and nothing is sent twice.
                    text = "a message could not be read; fetching everything anew"
                    events += [Rejected("message", str(error), excerpt(line)), ProviderRefused("UNREADABLE", text, fatal=False)]
                    return events
                self._message(message, events)
        if len(self._buffer) > _MAX_LINE_BYTES:
            events.append(ProviderRefused("LINE_TOO_LONG", f"a line of over {_MAX_LINE_BYTES} bytes", fatal=False))
        return events

    # -- asking ---------------------------------------------------------------------------------------------------

    def next_request(self, now_ms: int) -> Request | None:
        """Ask for the list of events, or for the odds of the next ones."""
        wanted = self._fetcher.next_step(now_ms)
        if isinstance(wanted, ListPage):
            params = (("sport", self._config.sport), ("status", "pending,live"))
            return Request(name="events", url="/v3/events", params=params)
        if isinstance(wanted, FetchChunk):
            some = ",".join(wanted.keys)
            params = (("eventIds", some), ("bookmakers", ",".join(self._config.bookmakers)))
            return Request(name="odds", key=some, url="/v3/odds/multi", params=params)
        return None

    def _sources(self) -> list[str]:
        return [self._source(bookmaker) for bookmaker in self._quote_caches]

    def _decode_response(self, response: Response, events: list[CodecEvent]) -> None:
        raws = _decode_list(response.body)
        if response.request.name == "events":
            self._list(raws, response.at_ms, events)
        else:
            self._snapshot(raws, response.request.key.split(","), events)

    def _list(self, raws: list[msgspec.Raw], now_ms: int, events: list[CodecEvent]) -> None:
        updates: dict[str, list[FeedUpdate]] = {bookmaker: [] for bookmaker in self._quote_caches}
        listed: list[str] = []
        for raw in raws:
            try:
                details = _decode_details(raw)
                described = self._described(details)
            except (msgspec.DecodeError, ValueError) as error:
                events.append(Rejected("event", str(error), excerpt(bytes(raw))))
                continue
            if details.status in _OVER:
                continue
            listed.append(str(details.id))
            before = self._events.get(described.id)
            self._events[described.id] = details
            for bookmaker, quote_cache in self._quote_caches.items():
                updates[bookmaker] += quote_cache.update_event(described)
                if before is not None and before.status != details.status:
                    updates[bookmaker] += self._requoted(bookmaker, described.id)
        for key in self._fetcher.add_page(listed, more=False, now_ms=now_ms):
            gone = event_id(self._name, key)
            self._events.pop(gone, None)
            for bookmaker, quote_cache in self._quote_caches.items():
                updates[bookmaker] += quote_cache.remove_event(gone)
                self._known.pop((bookmaker, gone), None)
        events += [UpdateBatch(self._source(bookmaker), None, said) for bookmaker, said in updates.items() if said]

    def _snapshot(self, raws: list[msgspec.Raw], asked: list[str], events: list[CodecEvent]) -> None:
        """Take the state of some events, then what the stream has said of them since it was opened."""
        said: dict[tuple[str, EventId], _Listed] = {}
        for raw in raws:
            try:
                odds = _decode_odds(raw)
            except msgspec.DecodeError as error:
                events.append(Rejected("odds of an event", str(error), excerpt(bytes(raw))))
                continue
            for bookmaker, raw_markets in odds.bookmakers.items():
                markets = self._markets(raw_markets, f"{bookmaker} on event {odds.id}", events)
                at_ms = max((_time_ms(market.updated_at) for market in markets), default=0)
                said[bookmaker.lower(), event_id(self._name, str(odds.id))] = _Listed(markets, at_ms)
        self._fetcher.mark_fetched(asked)
        batches: list[UpdateBatch] = []
        for bookmaker in self._quote_caches:
            updates: list[FeedUpdate] = []
            for key in asked:
                event = event_id(self._name, key)
                place = (bookmaker, event)
                # The stream may have been quicker than the answer, on this connection.
                streamed = self._waiting.pop(place, None) or (self._known.get(place) if self._is_live else None)
                fetched = said.get(place, _Listed([], 0))
                self._known[place] = streamed if streamed is not None and streamed.at_ms > fetched.at_ms else fetched
                updates += self._requoted(bookmaker, event)
            batches.append(UpdateBatch(self._source(bookmaker), None, updates))
        events += self._snapshot_events(batches)

    # -- the stream -----------------------------------------------------------------------------------------------

    def _message(self, message: StreamMessage, events: list[CodecEvent]) -> None:
        bookmaker = message.bookie.lower()
        if message.type not in {"created", "updated", "deleted", "no_markets"} or not message.id:
            events.append(Dropped(f"type {message.type}"))
            return
        key = str(message.id)
        event = event_id(self._name, key)
        at_ms = round(message.timestamp if message.timestamp > _MILLISECONDS else message.timestamp * 1000)
        withdrawn = message.type in {"deleted", "no_markets"}
        if withdrawn and not bookmaker:
            for each in self._quote_caches:
                self._put(each, key, event, _Listed([], at_ms), events)
            return
        if bookmaker not in self._quote_caches:
            events.append(Dropped("a bookmaker not asked for"))
            return
        markets: list[Market] = []
        if not withdrawn:
            for raw in message.markets:
                markets += self._market(raw, f"{message.bookie} on event {key}", events)
        self._put(bookmaker, key, event, _Listed(markets, at_ms), events)

    def _put(self, bookmaker: str, key: str, event: EventId, listed: _Listed, events: list[CodecEvent]) -> None:
        place = (bookmaker, event)
        if key not in self._fetcher.ready:
            waiting = self._waiting.get(place)
            if waiting is None or not is_older(listed.at_ms, waiting.at_ms):
                self._waiting[place] = listed
            if key not in self._fetcher.known and self._fetcher.is_complete:
                self._fetcher.relist()
            return
        known = self._known.get(place)
        if known is not None and is_older(listed.at_ms, known.at_ms):
            events.append(Dropped("older than what is known"))
            return
        self._known[place] = listed
        updates = self._requoted(bookmaker, event)
        if updates:
            events.append(UpdateBatch(self._source(bookmaker), listed.at_ms or None, updates))

    # -- inside ---------------------------------------------------------------------------------------------------

    def _source(self, bookmaker: str) -> str:
        return f"{self._name}.{bookmaker}"

    def _markets(self, raw: msgspec.Raw, where: str, events: list[CodecEvent]) -> list[Market]:
        try:
            raws = _decode_list(raw)
        except msgspec.DecodeError as error:
            events.append(Rejected(f"markets of {where}", str(error), excerpt(bytes(raw))))
            return []
        return [market for each in raws for market in self._market(each, where, events)]

    @staticmethod
    def _market(raw: msgspec.Raw, where: str, events: list[CodecEvent]) -> list[Market]:
        """Read one market; what can't be read is rejected alone, and withdrawn by not being there."""
        try:
            return [_decode_market(raw)]
        except msgspec.DecodeError as error:
            events.append(Rejected(f"market of {where}", str(error), excerpt(bytes(raw))))
            return []

    def _described(self, details: EventDetails) -> Event:
        sport = details.sport.slug or details.sport.name.lower()
        league = details.league or Slug("unknown")
        return Event(
            id=event_id(self._name, str(details.id)),
            sport=SPORTS.get(sport, sport.replace("-", "_")),
            competition=Competition(f"{self._name}.{league.slug or league.name}", league.name),
            name=f"{details.home} v {details.away}",
            participants=(details.home, details.away),
            start_ms=_time_ms(details.date),
            in_play=details.status == "live",
        )

    def _requoted(self, bookmaker: str, event: EventId) -> list[FeedUpdate]:
        details = self._events.get(event)
        if details is None:
            return []
        quote_cache = self._quote_caches[bookmaker]
        known = self._known.get((bookmaker, event), _Listed([], 0))
        updates: list[FeedUpdate] = []
        kept: list[str] = []
        for market in known.markets:
            for definition, quotes in _translated(event, details, market):
                kept.append(definition.id)
                updates += quote_cache.update_market(definition, quotes)
        return updates + quote_cache.retain_markets(event, kept)


def _translated(event: EventId, details: EventDetails, market: Market) -> Iterator[tuple[MarketDefinition, dict[str, float]]]:
    phase = Phase("open", details.status == "live")
    home, away = details.home, details.away
    for price in market.odds:
        line = decimal_line(price)
        if market.name == "ML":
            three_way = price.draw is not None
            yield match_result(event, home, away, phase, three_way=three_way), _quotes(price, "home", "draw", "away")
        elif market.name == "Totals" and line is not None:
            yield total(event, line, phase), _quotes(price, "over", "under")
        elif market.name in {"Spread", "Asian Handicap"} and line is not None:
            yield asian_handicap(event, line, home, away, phase), _quotes(price, "home", "away")
        elif market.name == "Both Teams To Score":
            yield both_to_score(event, phase), _quotes(price, "yes", "no")


def decimal_line(price: Price) -> float | None:
    """Read a line, which may come as text; None if there is none."""
    try:
        return None if price.hdp is None else float(price.hdp) or 0.0
    except ValueError:
        return None


def _quotes(price: Price, *keys: str) -> dict[str, float]:
    return {key: odds for key in keys if (odds := decimal_odds(getattr(price, key))) is not None}


def _time_ms(text: str | None) -> int:
    try:
        return 0 if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0
