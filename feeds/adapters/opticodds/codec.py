"""OpticOdds v3, without I/O: a server-sent events stream, and the snapshot that it continues.

Rules (OpticOdds API documentation, "Stream odds", "Get odds"):

- `odds` sets the prices it names, `locked-odds` withdraws them; `ping` only shows that the stream is alive.
- The stream holds changes, never the state: the snapshot is fetched over REST while the stream is already open, and the entries
  streamed meanwhile are applied after it where they are newer. The feed is live once it has both.
- A connection continues from `last_entry_id`. The provider does not report whether it still held everything since, so the
  snapshot is fetched then too.
- Prices are requested in decimal odds, and are decimal: 101 is. A price that can't be decimal is no price.
- A swap of main and alternate line sends no `locked-odds`: all lines are translated, and `is_main` is ignored.
- A live entry shows that its fixture is in play, up to a minute before the list of fixtures does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from feeds.adapters.opticodds.markets import is_live, problem_of, to_event
from feeds.adapters.opticodds.messages import Entry, Fixture, Fixtures, OddsPage, StreamMessage
from feeds.adapters.opticodds.sportsbook import Sportsbook, lock
from feeds.errors import BadMessage, ProviderRefused
from feeds.feed import CodecEvent, Dropped, Rejected
from feeds.toolkit.snapshot_fetcher import FetchChunk, ListPage
from feeds.toolkit.snapshot_sync import SnapshotSync
from feeds.transports.event_stream import EventStreamReader
from feeds.transports.http import Request
from oddsengine.common.excerpts import echoed, excerpt
from oddsengine.domain.feed_updates import UpdateBatch
from oddsengine.domain.ids import EventId, event_id

if TYPE_CHECKING:
    from feeds.adapters.opticodds.config import OpticOddsConfig
    from feeds.transports.event_stream import ServerSentEvent
    from feeds.transports.http import Response
    from oddsengine.domain.feed_updates import FeedUpdate

#: The provider's limit.
_FIXTURES_PER_REQUEST: Final = 5

_decode_fixtures = msgspec.json.Decoder(Fixtures).decode
_decode_fixture = msgspec.json.Decoder(Fixture).decode
_decode_odds = msgspec.json.Decoder(OddsPage).decode
_decode_stream = msgspec.json.Decoder(StreamMessage).decode
_decode_entry = msgspec.json.Decoder(Entry).decode


class OpticOddsCodec(SnapshotSync):
    """The stream of one sport.

    Args:
        name: the feed's name; its sources are `<name>.<sportsbook>`.
        config: the feed's config block.
    """

    def __init__(self, name: str, config: OpticOddsConfig) -> None:
        super().__init__(_FIXTURES_PER_REQUEST)
        self._name = name
        self._config = config
        self._reader = EventStreamReader()
        self._books = {sportsbook: Sportsbook() for sportsbook in config.sportsbooks}
        self._fixtures: dict[EventId, Fixture] = {}
        self.last_entry_id = ""
        #: streamed entries whose fixture has no snapshot yet
        self._pending: list[Entry] = []

    @property
    def silence_limit_s(self) -> float:
        """The time without even a ping after which the stream is dead."""
        return self._config.silence_s

    def stream_query(self) -> dict[str, str]:
        """Return the query of the stream's URL, with the entry to continue from."""
        query = {"sportsbook": ",".join(self._config.sportsbooks), "odds_format": "DECIMAL"}
        if self._config.leagues:
            query["league"] = ",".join(self._config.leagues)
        if self.last_entry_id:
            query["last_entry_id"] = self.last_entry_id
        return query

    def connection_made(self) -> None:
        """Start a new stream; the snapshot is fetched beside it."""
        super().connection_made()
        self._reader = EventStreamReader()
        self._pending.clear()

    def reset(self) -> None:
        """Forget the entry to continue from."""
        self.last_entry_id = ""

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Process bytes of the stream; see `feeds.feed.Codec`."""
        events: list[CodecEvent] = []
        try:
            for event in self._reader.feed(data):
                self._receive_event(event, events)
            events += self._take_rejected()
        except BadMessage as error:
            self.reset()
            events += [
                Rejected(error.where, error.reason, excerpt(data)),
                ProviderRefused("UNREADABLE", "an event could not be read; fetching everything again", fatal=False),
            ]
        return events

    # -- the snapshot ---------------------------------------------------------------------------------------------

    def next_request(self, now_ms: int) -> Request | None:
        """Return the request for the next page of fixtures, or for the odds of the next fixtures."""
        wanted = self._fetcher.next_step(now_ms)
        if isinstance(wanted, ListPage):
            league = [("league", ",".join(self._config.leagues))] if self._config.leagues else []
            return Request(
                name="fixtures",
                url="/api/v3/fixtures/active",
                params=(("sport", self._config.sport), *league, ("page", str(wanted.page))),
            )
        if isinstance(wanted, FetchChunk):
            fixtures = ",".join(wanted.keys)
            books = ",".join(self._config.sportsbooks)
            params = (("sportsbook", books), ("odds_format", "DECIMAL"), ("fixture_id", fixtures))
            return Request(name="odds", key=fixtures, url="/api/v3/fixtures/odds", params=params)
        return None

    def _sources(self) -> list[str]:
        return [self._source(sportsbook) for sportsbook in self._books]

    def _decode_response(self, response: Response, events: list[CodecEvent]) -> None:
        if response.request.name == "fixtures":
            self._receive_fixtures(response, events)
        else:
            self._receive_snapshot(response, events)
        events += self._take_rejected()

    def _receive_fixtures(self, response: Response, events: list[CodecEvent]) -> None:
        page = _decode_fixtures(response.body)
        updates: dict[str, list[FeedUpdate]] = {sportsbook: [] for sportsbook in self._books}
        listed: list[str] = []
        for raw in page.data:
            try:
                fixture = _decode_fixture(raw)
                event = to_event(self._name, fixture, self._event_id(fixture.id))
            except msgspec.DecodeError as error:
                events.append(Rejected("fixture", str(error), excerpt(bytes(raw))))
                continue
            if event.start_ms is None:
                events.append(Rejected(f"start of fixture {fixture.id}", f"{echoed(fixture.start_date)} is not a time", ""))
            listed.append(fixture.id)
            known = self._fixtures.get(event.id)
            if known is not None and known.is_live and not fixture.is_live:
                # The stream is earlier than the list of fixtures.
                fixture.is_live = True
                event = to_event(self._name, fixture, event.id)
            self._fixtures[event.id] = fixture
            for sportsbook, book in self._books.items():
                updates[sportsbook] += book.quote_cache.update_event(event)
                if known is not None and (known.is_live, known.status) != (fixture.is_live, fixture.status):
                    updates[sportsbook] += book.requote(event.id, fixture)
        for key in sorted(self._fetcher.add_page(listed, more=page.page < page.total_pages, now_ms=response.at_ms)):
            gone = self._event_id(key)
            self._fixtures.pop(gone, None)
            for sportsbook, book in self._books.items():
                updates[sportsbook] += book.remove(gone)
        events += [UpdateBatch(self._source(sportsbook), None, changes) for sportsbook, changes in updates.items() if changes]

    def _receive_snapshot(self, response: Response, events: list[CodecEvent]) -> None:
        """Apply the snapshot of some fixtures, then the entries streamed since the connection was opened."""
        page = _decode_odds(response.body)
        requested = response.request.key.split(",")
        self._fetcher.mark_fetched(requested)
        fetched: dict[str, dict[EventId, dict[str, Entry]]] = {
            sportsbook: {self._event_id(fixture_id): {} for fixture_id in requested} for sportsbook in self._books
        }
        for fixture in page.data:
            for raw in fixture.odds:
                entry = self._decode_entry(raw, events)
                if entry is not None and (event := self._event_id(entry.fixture_id)) in fetched[entry.sportsbook]:
                    fetched[entry.sportsbook][event][entry.id] = entry
        pending, self._pending = self._pending, []
        for entry in pending:
            entries = fetched[entry.sportsbook].get(self._event_id(entry.fixture_id))
            if entries is None:
                self._pending.append(entry)
                continue
            known = entries.get(entry.id)
            if known is None or known.timestamp <= entry.timestamp:
                entries[entry.id] = entry
        batches: list[UpdateBatch] = []
        for sportsbook, book in self._books.items():
            updates: list[FeedUpdate] = []
            for event, entries in fetched[sportsbook].items():
                book.replace(event, entries)
                updates += book.requote(event, self._fixtures[event])
            batches.append(UpdateBatch(self._source(sportsbook), None, updates))
        events += self._snapshot_events(batches)

    # -- the stream -----------------------------------------------------------------------------------------------

    def _receive_event(self, event: ServerSentEvent, events: list[CodecEvent]) -> None:
        if event.event not in {"odds", "locked-odds"}:
            events.append(Dropped(f"event {event.event}"))
            return
        try:
            message = _decode_stream(event.data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadMessage("event", str(error)) from error
        is_lock = event.event == "locked-odds"
        #: (sportsbook, event) -> the time of its newest entry, Unix milliseconds
        touched: dict[tuple[str, EventId], int] = {}
        for raw in message.data:
            entry = self._decode_entry(raw, events)
            if entry is None:
                continue
            if is_lock:
                entry = lock(entry)
            if entry.fixture_id not in self._fetcher.ready:
                self._pending.append(entry)
                if entry.fixture_id not in self._fetcher.known and self._fetcher.is_complete:
                    self._fetcher.relist()
                continue
            fixture = self._event_id(entry.fixture_id)
            if not self._books[entry.sportsbook].apply(fixture, entry):
                events.append(Dropped("older than what is known"))
                continue
            place = (entry.sportsbook, fixture)
            touched[place] = max(touched.get(place, 0), round(entry.timestamp * 1000))
            if entry.is_live and not is_live(self._fixtures[fixture]):
                self._begin(fixture, events)
        for (sportsbook, fixture), published_ms in touched.items():
            updates = self._books[sportsbook].requote(fixture, self._fixtures[fixture])
            if updates:
                events.append(UpdateBatch(self._source(sportsbook), published_ms or None, updates))
        self.last_entry_id = message.entry_id or event.id or self.last_entry_id

    def _begin(self, event: EventId, events: list[CodecEvent]) -> None:
        """Mark an event as in play, at every sportsbook: what they quoted before it is none of their prices any more."""
        fixture = self._fixtures[event] = msgspec.structs.replace(self._fixtures[event], is_live=True)
        description = to_event(self._name, fixture, event)
        for sportsbook, book in self._books.items():
            updates = [*book.quote_cache.update_event(description), *book.requote(event, fixture)]
            events.append(UpdateBatch(self._source(sportsbook), None, updates))

    # -- inside ---------------------------------------------------------------------------------------------------

    def _take_rejected(self) -> list[Rejected]:
        return [each for name, book in self._books.items() for each in book.quote_cache.take_rejected(name)]

    def _source(self, sportsbook: str) -> str:
        return f"{self._name}.{sportsbook}"

    def _event_id(self, fixture_id: str) -> EventId:
        return event_id(self._name, fixture_id)

    def _decode_entry(self, raw: msgspec.Raw, events: list[CodecEvent]) -> Entry | None:
        """Decode an entry of a known sportsbook; report any other and return None."""
        try:
            entry = _decode_entry(raw)
        except msgspec.DecodeError as error:
            events.append(Rejected("entry", str(error), excerpt(bytes(raw))))
            # It may have been a lock of an unknown selection, so everything is compared with a new snapshot.
            self.request_verification()
            return None
        name = entry.sportsbook.lower().replace(" ", "_")
        if name not in self._books:
            events.append(Dropped("unrequested sportsbook"))
            return None
        entry.sportsbook = name
        if (problem := problem_of(entry)) is not None:
            events.append(Rejected(f"{entry.market} of fixture {entry.fixture_id}", problem, excerpt(bytes(raw))))
            # What the entry was is not quoted any more.
            entry.price = None
        return entry
