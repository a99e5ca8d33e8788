"""OpticOdds v3, without I/O: a server-sent events stream, and the snapshot that it continues.

Rules (OpticOdds API documentation, "Stream odds", "Get odds"):

- `odds` sets the prices it names, `locked-odds` withdraws them; `ping` only shows that the stream lives.
- The stream tells changes, never the state: the snapshot is fetched over REST while the stream is already open, and what the
  stream said meanwhile is applied after it, entry by entry where it is newer. Live is who has both.
- A connection continues with `last_entry_id`. Whether the provider still had everything since is not told, so the snapshot
  is fetched then too.
- A price is asked in decimal odds; one of 100 and more either way is American all the same.
- A swap of main and alternate line sends no `locked-odds`: all lines are taken, `is_main` decides nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from feeds.adapters.opticodds.messages import Entry, Fixture, Fixtures, OddsPage, StreamMessage
from feeds.errors import BadMessage, ProviderRefused
from feeds.feed import CodecEvent, Dropped, Rejected
from feeds.toolkit.quote_cache import QuoteCache, decimal_odds, from_american
from feeds.toolkit.snapshot_fetcher import FetchChunk, ListPage
from feeds.toolkit.snapshot_sync import SnapshotSync
from feeds.toolkit.standard_markets import Phase, asian_handicap, both_to_score, match_result, total
from feeds.toolkit.timestamps import is_older
from feeds.transports.event_stream import EventStreamReader
from feeds.transports.http import Request
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import UpdateBatch
from oddsengine.domain.ids import EventId, event_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feeds.adapters.opticodds.config import OpticOddsConfig
    from feeds.transports.event_stream import ServerSentEvent
    from feeds.transports.http import Response
    from oddsengine.domain.feed_updates import FeedUpdate, MarketDefinition

SPORTS: Final[dict[str, str]] = {
    "soccer": "football",
    "football": "american_football",
    "hockey": "ice_hockey",
    "mma": "mixed_martial_arts",
}
#: The provider allows five fixtures in one question.
_FIXTURES_A_QUESTION: Final = 5
_AMERICAN: Final = 100.0

_decode_fixtures = msgspec.json.Decoder(Fixtures).decode
_decode_fixture = msgspec.json.Decoder(Fixture).decode
_decode_odds = msgspec.json.Decoder(OddsPage).decode
_decode_stream = msgspec.json.Decoder(StreamMessage).decode
_decode_entry = msgspec.json.Decoder(Entry).decode


class _Book:
    """One sportsbook: its quote cache, and the last entry of each selection, which says how new it is."""

    def __init__(self) -> None:
        self.quote_cache = QuoteCache()
        #: event -> entry id -> its last word; a price of None is locked
        self.entries: dict[EventId, dict[str, Entry]] = {}


class OpticOddsCodec(SnapshotSync):
    """One sport's stream.

    Args:
        name: the feed's name; its sources are `<name>.<sportsbook>`.
        config: the feed's block.
    """

    def __init__(self, name: str, config: OpticOddsConfig) -> None:
        super().__init__(_FIXTURES_A_QUESTION)
        self._name = name
        self._config = config
        self._reader = EventStreamReader()
        self._books = {sportsbook: _Book() for sportsbook in config.sportsbooks}
        self._fixtures: dict[EventId, Fixture] = {}
        self.last_entry_id = ""
        #: what the stream said before the snapshot of its fixture came: (entry, locked)
        self._waiting: list[tuple[Entry, bool]] = []

    @property
    def silence_limit_s(self) -> float:
        """How long not even a ping may come."""
        return self._config.silence_s

    def stream_query(self) -> dict[str, str]:
        """Give the query of the stream's URL, with where it is to go on."""
        query = {"sportsbook": ",".join(self._config.sportsbooks), "odds_format": "DECIMAL"}
        if self._config.leagues:
            query["league"] = ",".join(self._config.leagues)
        if self.last_entry_id:
            query["last_entry_id"] = self.last_entry_id
        return query

    def connection_made(self) -> None:
        """Begin a new stream; the snapshot is fetched beside it."""
        super().connection_made()
        self._reader = EventStreamReader()
        self._waiting.clear()

    def reset(self) -> None:
        """Forget where the stream stood."""
        self.last_entry_id = ""

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Take bytes of the stream; see `feeds.feed.Codec`."""
        events: list[CodecEvent] = []
        try:
            for event in self._reader.feed(data):
                self._stream_event(event, events)
        except BadMessage as error:
            self.reset()
            events += [
                Rejected(error.where, error.reason, excerpt(data)),
                ProviderRefused("UNREADABLE", "an event could not be read; fetching everything anew", fatal=False),
            ]
        return events

    # -- asking ---------------------------------------------------------------------------------------------------

    def next_request(self, now_ms: int) -> Request | None:
        """Ask for the next page of fixtures, or for the odds of the next ones."""
        wanted = self._fetcher.next_step(now_ms)
        if isinstance(wanted, ListPage):
            league = [("league", ",".join(self._config.leagues))] if self._config.leagues else []
            return Request(
                name="fixtures",
                url="/api/v3/fixtures/active",
                params=(("sport", self._config.sport), *league, ("page", str(wanted.page))),
            )
        if isinstance(wanted, FetchChunk):
            some = ",".join(wanted.keys)
            books = ",".join(self._config.sportsbooks)
            params = (("sportsbook", books), ("odds_format", "DECIMAL"), ("fixture_id", some))
            return Request(name="odds", key=some, url="/api/v3/fixtures/odds", params=params)
        return None

    def _sources(self) -> list[str]:
        return [self._source(sportsbook) for sportsbook in self._books]

    def _decode_response(self, response: Response, events: list[CodecEvent]) -> None:
        if response.request.name == "fixtures":
            self._fixtures_page(response, events)
        else:
            self._snapshot(response, events)

    def _fixtures_page(self, response: Response, events: list[CodecEvent]) -> None:
        page = _decode_fixtures(response.body)
        updates: dict[str, list[FeedUpdate]] = {sportsbook: [] for sportsbook in self._books}
        listed: list[str] = []
        for raw in page.data:
            try:
                fixture = _decode_fixture(raw)
                described = self._described(fixture)
            except (msgspec.DecodeError, ValueError) as error:
                events.append(Rejected("fixture", str(error), excerpt(bytes(raw))))
                continue
            event = described.id
            listed.append(fixture.id)
            known = self._fixtures.get(event)
            self._fixtures[event] = fixture
            for sportsbook, book in self._books.items():
                updates[sportsbook] += book.quote_cache.update_event(described)
                if known is not None and known.is_live != fixture.is_live:
                    updates[sportsbook] += self._requoted(event, book)
        for key in self._fetcher.add_page(listed, more=page.page < page.total_pages, now_ms=response.at_ms):
            gone = event_id(self._name, key)
            self._fixtures.pop(gone, None)
            for sportsbook, book in self._books.items():
                updates[sportsbook] += book.quote_cache.remove_event(gone)
                book.entries.pop(gone, None)
        events += [UpdateBatch(self._source(sportsbook), None, said) for sportsbook, said in updates.items() if said]

    def _snapshot(self, response: Response, events: list[CodecEvent]) -> None:
        """Take the snapshot of some fixtures, then what the stream has said of them since it was opened."""
        page = _decode_odds(response.body)
        asked = response.request.key.split(",")
        self._fetcher.mark_fetched(asked)
        said: dict[str, dict[EventId, dict[str, Entry]]] = {
            sportsbook: {event_id(self._name, fixture_id): {} for fixture_id in asked} for sportsbook in self._books
        }
        for fixture in page.data:
            for raw in fixture.odds:
                entry = self._entry(raw, events)
                if entry is not None and (event := event_id(self._name, entry.fixture_id)) in said[entry.sportsbook]:
                    said[entry.sportsbook][event][entry.id] = entry
        touched = {event_id(self._name, fixture_id) for fixture_id in asked}
        waiting, self._waiting = self._waiting, []
        for entry, locked in waiting:
            event = event_id(self._name, entry.fixture_id)
            if event not in touched:
                self._waiting.append((entry, locked))
                continue
            entries = said[entry.sportsbook][event]
            known = entries.get(entry.id)
            if known is None or known.timestamp <= entry.timestamp:
                entries[entry.id] = _locked(entry) if locked else entry
        batches = [self._replaced(sportsbook, book, said[sportsbook]) for sportsbook, book in self._books.items()]
        events += self._snapshot_events(batches)

    def _replaced(self, sportsbook: str, book: _Book, said: Mapping[EventId, dict[str, Entry]]) -> UpdateBatch:
        updates: list[FeedUpdate] = []
        for event, entries in said.items():
            known = book.entries.get(event, {})
            # The stream may have been quicker than the answer; what is newer than all of the answer was not yet in it.
            newest = max((entry.timestamp for entry in entries.values()), default=0.0)
            newer = {
                key: old for key, old in known.items() if old.timestamp > (entries[key].timestamp if key in entries else newest)
            }
            book.entries[event] = {**entries, **newer}
            updates += self._requoted(event, book)
        return UpdateBatch(self._source(sportsbook), None, updates)

    # -- the stream -----------------------------------------------------------------------------------------------

    def _stream_event(self, event: ServerSentEvent, events: list[CodecEvent]) -> None:
        if event.event not in {"odds", "locked-odds"}:
            events.append(Dropped(f"event {event.event}"))
            return
        try:
            message = _decode_stream(event.data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadMessage("event", str(error)) from error
        locked = event.event == "locked-odds"
        touched: dict[tuple[str, EventId], int] = {}
        for raw in message.data:
            entry = self._entry(raw, events)
            if entry is None:
                continue
            fixture = event_id(self._name, entry.fixture_id)
            if entry.fixture_id not in self._fetcher.ready:
                self._waiting.append((entry, locked))
                if entry.fixture_id not in self._fetcher.known and self._fetcher.is_complete:
                    self._fetcher.relist()
                continue
            book = self._books[entry.sportsbook]
            entries = book.entries.setdefault(fixture, {})
            known = entries.get(entry.id)
            if known is not None and is_older(entry.timestamp * 1000, known.timestamp * 1000):
                events.append(Dropped("older than what is known"))
                continue
            entries[entry.id] = _locked(entry) if locked else entry
            touched[entry.sportsbook, fixture] = max(touched.get((entry.sportsbook, fixture), 0), round(entry.timestamp * 1000))
        for (sportsbook, fixture), published_ms in touched.items():
            updates = self._requoted(fixture, self._books[sportsbook])
            if updates:
                events.append(UpdateBatch(self._source(sportsbook), published_ms or None, updates))
        self.last_entry_id = message.entry_id or event.id or self.last_entry_id

    # -- inside ---------------------------------------------------------------------------------------------------

    def _source(self, sportsbook: str) -> str:
        return f"{self._name}.{sportsbook}"

    def _entry(self, raw: msgspec.Raw, events: list[CodecEvent]) -> Entry | None:
        try:
            entry = _decode_entry(raw)
        except msgspec.DecodeError as error:
            events.append(Rejected("entry", str(error), excerpt(bytes(raw))))
            # It may have been a lock: what it belongs to can't be told, so everything is held against a snapshot.
            self.request_verification()
            return None
        name = entry.sportsbook.lower().replace(" ", "_")
        if name not in self._books:
            events.append(Dropped("a sportsbook not asked for"))
            return None
        entry.sportsbook = name
        return entry

    def _described(self, fixture: Fixture) -> Event:
        return Event(
            id=event_id(self._name, fixture.id),
            sport=SPORTS.get(fixture.sport.id, fixture.sport.id),
            competition=Competition(f"{self._name}.{fixture.league.id}", fixture.league.name or fixture.league.id),
            name=f"{fixture.home_team_display} v {fixture.away_team_display}",
            participants=(fixture.home_team_display, fixture.away_team_display),
            start_ms=round(datetime.fromisoformat(fixture.start_date).timestamp() * 1000),
            in_play=fixture.is_live,
        )

    def _requoted(self, event: EventId, book: _Book) -> list[FeedUpdate]:
        """Put a fixture's entries together to markets, and say what that changes."""
        fixture = self._fixtures[event]
        phase = Phase("open", fixture.is_live)
        markets: dict[str, tuple[MarketDefinition, dict[str, float]]] = {}
        entries = list(book.entries.get(event, {}).values())
        three_way = any(entry.name == "Draw" and _kind(entry) == "result" for entry in entries)
        for entry in entries:
            placed = _placed(event, fixture, entry, phase, three_way=three_way)
            if placed is None:
                continue
            definition, key = placed
            _, quotes = markets.setdefault(definition.id, (definition, {}))
            odds = _odds(entry.price)
            if odds is not None:
                quotes[key] = odds
        updates: list[FeedUpdate] = []
        for definition, quotes in markets.values():
            updates += book.quote_cache.update_market(definition, quotes)
        return updates + book.quote_cache.retain_markets(event, markets)


def _locked(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, price=None)


#: The provider's names of markets we know.
_KINDS: Final[dict[str, tuple[str, str]]] = {
    "Moneyline": ("result", "ft"),
    "Moneyline 3-Way": ("result", "ft"),
    "1st Half Moneyline": ("result", "h1"),
    "1st Half Moneyline 3-Way": ("result", "h1"),
    "Total Goals": ("total", "ft"),
    "Total Points": ("total", "ft"),
    "1st Half Total Goals": ("total", "h1"),
    "Asian Handicap": ("handicap", "ft"),
    "Point Spread": ("handicap", "ft"),
    "Goal Spread": ("handicap", "ft"),
    "Both Teams To Score": ("both", "ft"),
}


def _kind(entry: Entry) -> str:
    return _KINDS.get(entry.market, ("", ""))[0]


def _placed(
    event: EventId, fixture: Fixture, entry: Entry, phase: Phase, *, three_way: bool
) -> tuple[MarketDefinition, str] | None:
    """Tell which market and selection an entry prices; None if it is none we know."""
    kind, period = _KINDS.get(entry.market, ("", ""))
    home, away = fixture.home_team_display, fixture.away_team_display
    name = entry.name
    if kind == "result":
        key = {home: "home", away: "away", "Draw": "draw"}.get(name)
        definition = match_result(event, home, away, phase, three_way=three_way, period=period)
        return None if key is None else (definition, key)
    if kind == "total" and entry.points is not None:
        key = "over" if name.startswith("Over") else "under" if name.startswith("Under") else None
        return None if key is None else (total(event, entry.points, phase, period=period), key)
    if kind == "handicap" and entry.points is not None:
        key = "home" if name.startswith(home) else "away" if name.startswith(away) else None
        line = entry.points if key == "home" else -entry.points
        return None if key is None else (asian_handicap(event, line or 0.0, home, away, phase, period=period), key)
    if kind == "both" and name in {"Yes", "No"}:
        return both_to_score(event, phase), name.lower()
    return None


def _odds(price: float | None) -> float | None:
    if price is not None and abs(price) >= _AMERICAN:
        return from_american(price)
    return decimal_odds(price)
