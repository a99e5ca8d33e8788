"""Pinnacle's lines API, without I/O: which request is due, and what an answer changes.

Rules (Pinnacle lines API documentation):

- A call without `since` is a snapshot that may have been cached for a minute. Nothing may be offered on its basis alone, so a
  recovery is fixtures, a snapshot, and the changes since the snapshot.
- A call with `since` returns changed periods, each complete: a market missing from one is gone. An empty body: no changes.
- Fixtures and odds have separate cursors for each sport; 0 and 1 are never cursors.
- A period is suspended by `status` 2, by an unavailable fixture, and from its `cutoff` on.
- Each endpoint keeps its own interval, in recoveries and verifications too; 429 is answered by waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from feeds.adapters.pinnacle.markets import PERIODS, cutoff_ms, to_event, to_markets
from feeds.adapters.pinnacle.messages import Fixture, Fixtures, Odds, Period
from feeds.adapters.pinnacle.sport import Sport, to_cursor
from feeds.adapters.pinnacle.sport_states import RecoveryTrigger, VerificationState, VerificationTrigger
from feeds.feed import CodecEvent, Rejected, VerificationSnapshot
from feeds.toolkit.quote_cache import QuoteCache
from feeds.toolkit.responses import PollOnly, reject_response
from feeds.toolkit.standard_markets import Phase
from feeds.transports.http import Request
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.feed_updates import MarketGone, SourceStatus, UpdateBatch
from oddsengine.domain.ids import EventId, event_id

if TYPE_CHECKING:
    from feeds.adapters.pinnacle.config import PinnacleConfig
    from feeds.transports.http import Response
    from oddsengine.domain.feed_updates import FeedUpdate

_RETRY_MS: Final = 1_000

_decode_fixtures = msgspec.json.Decoder(Fixtures).decode
_decode_fixture = msgspec.json.Decoder(Fixture).decode
_decode_odds = msgspec.json.Decoder(Odds).decode
_decode_period = msgspec.json.Decoder(Period).decode


class PinnacleCodec(PollOnly):
    """The polling of one account.

    Args:
        name: the name of the feed and of its source.
        config: the feed's config block.
    """

    def __init__(self, name: str, config: PinnacleConfig) -> None:
        self._name = name
        self._config = config
        self._sports = {number: Sport(number) for number in config.sports}
        self._quote_cache = QuoteCache()
        #: (event, period) -> when it closes for betting, Unix milliseconds
        self._cutoffs: dict[tuple[EventId, str], int] = {}
        self._is_live = False

    @property
    def silence_limit_s(self) -> float:
        """The age at which prices expire."""
        return self._config.max_age_s

    def connection_made(self) -> None:
        """Start a new connection; it continues from the cursors."""
        self._is_live = False
        for sport in self._sports.values():
            sport.connection_made()

    def reset(self) -> None:
        """Forget the cursors, so that the next answers are snapshots."""
        for sport in self._sports.values():
            sport.forget_cursors()

    # -- requests -------------------------------------------------------------------------------------------------

    def next_request(self, now_ms: int) -> Request | None:
        """Return the request that has been due longest, if any."""
        due = [
            (endpoint.due_ms, sport.number, what)
            for sport in self._sports.values()
            for what, endpoint in sport.available()
            if endpoint.due_ms <= now_ms
        ]
        if not due:
            return None
        _, number, what = min(due)
        sport = self._sports[number]
        if what == "fixtures":
            sport.fixtures.in_flight = True
            return _request("fixtures", "/v1/fixtures", [("sportId", str(number))], number, sport.fixtures.cursor)
        sport.odds.in_flight = True
        params = [("sportId", str(number)), ("oddsFormat", "Decimal")]
        return _request("sample" if sport.is_verifying else "odds", "/v2/odds", params, number, sport.odds_cursor())

    def next_due_ms(self) -> int | None:
        """Return when the next request is due, Unix milliseconds; None while all are in flight."""
        return min((endpoint.due_ms for sport in self._sports.values() for _, endpoint in sport.available()), default=None)

    def request_verification(self) -> None:
        """Request a verification of every sport. Each waits for its turn, because the provider limits the calls."""
        for sport in self._sports.values():
            sport.move_verification(VerificationTrigger.REQUESTED)

    # -- answers --------------------------------------------------------------------------------------------------

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Process an answer; see `feeds.feed.Poller`."""
        sport = self._sports.get(int(response.request.key)) if response.request.key.isdigit() else None
        if sport is None:
            return [Rejected("answer", f"unknown sport {response.request.key!r}", "")]
        what = response.request.name
        endpoint = sport.fixtures if what == "fixtures" else sport.odds
        endpoint.in_flight = False
        if not response.ok:
            endpoint.due_ms = response.at_ms
            return [reject_response(response, f"{what} of sport {sport.number}")]
        interval_ms = round(self._config.interval_s * 1000)
        endpoint.due_ms = response.at_ms + interval_ms
        is_snapshot = not any(key == "since" for key, _ in response.request.params)
        events: list[CodecEvent] = []
        try:
            if what == "fixtures":
                self._receive_fixtures(sport, response, events, is_snapshot=is_snapshot)
            elif what == "sample":
                self._receive_verification(sport, response, events, is_snapshot=is_snapshot)
            else:
                self._receive_odds(sport, response, events, is_snapshot=is_snapshot)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # Nothing is lost: the cursor is unchanged, and the request is repeated.
            endpoint.due_ms = response.at_ms + min(interval_ms, _RETRY_MS)
            events.append(Rejected(f"{what} of sport {sport.number}", str(error), excerpt(response.body)))
            return events
        if not self._is_live and all(each.is_current for each in self._sports.values()):
            self._is_live = True
            events.append(self._batch([SourceStatus("live", "fixtures, odds and the changes since were applied")]))
        return events

    def tick(self, now_ms: int) -> list[CodecEvent]:
        """Suspend periods at their cut-off, and withdraw the sports whose odds have expired."""
        updates: list[FeedUpdate] = []
        for (event, period), closes_ms in list(self._cutoffs.items()):
            if now_ms >= closes_ms:
                del self._cutoffs[event, period]
                updates += self._suspend(event, period)
        for sport in self._sports.values():
            if sport.confirmed_ms is not None and now_ms - sport.confirmed_ms > self._config.max_age_s * 1000:
                for event in sport.events:
                    updates += self._quote_cache.remove_event(event)
                sport.expire()
        return [self._batch(updates)] if updates else []

    def _receive_fixtures(self, sport: Sport, response: Response, events: list[CodecEvent], *, is_snapshot: bool) -> None:
        answer = _decode_fixtures(response.body) if response.body else Fixtures(last=sport.fixtures.cursor or 0)
        updates: list[FeedUpdate] = []
        fixtures: dict[EventId, Fixture] = {}
        for league in answer.league:
            for raw in league.events:
                try:
                    fixture = _decode_fixture(raw)
                    event = to_event(self._name, sport.name, league, fixture, event_id(self._name, str(fixture.id)))
                except (msgspec.DecodeError, ValueError) as error:
                    events.append(Rejected(f"fixture of league {league.id}", str(error), excerpt(bytes(raw))))
                    continue
                fixtures[event.id] = fixture
                updates += self._quote_cache.update_event(event)
                if fixture.status == "I":
                    updates += self._suspend(event.id)
        if is_snapshot:
            for gone in sorted(sport.events.keys() - fixtures.keys()):
                updates += self._quote_cache.remove_event(gone)
            sport.events = fixtures
        else:
            sport.events |= fixtures
        sport.fixtures.cursor = to_cursor(answer.last)
        sport.move_recovery(RecoveryTrigger.FIXTURES)
        if sport.has_unknown_events:
            sport.has_unknown_events, sport.odds.cursor, sport.odds.due_ms = False, None, 0
        if updates:
            events.append(self._batch(updates))

    def _receive_odds(self, sport: Sport, response: Response, events: list[CodecEvent], *, is_snapshot: bool) -> None:
        answer = _decode_odds(response.body) if response.body else Odds(last=sport.odds.cursor or 0)
        sport.held += self._apply_odds(sport, answer, response, self._quote_cache, events, is_snapshot=is_snapshot)
        if not is_snapshot:
            sport.move_recovery(RecoveryTrigger.CHANGES)
        sport.odds.cursor = to_cursor(answer.last)
        sport.confirmed_ms = response.at_ms
        if sport.is_current and sport.held:
            events.append(self._batch(sport.held))
            sport.held = []

    def _receive_verification(self, sport: Sport, response: Response, events: list[CodecEvent], *, is_snapshot: bool) -> None:
        """Build a second quote cache from a snapshot and the changes since it, and compare it with the first."""
        answer = _decode_odds(response.body) if response.body else Odds(last=sport.verified_cursor or 0)
        expected = VerificationState.SNAPSHOT_DUE if is_snapshot else VerificationState.CHANGES_DUE
        if sport.verification is not expected:
            return
        if is_snapshot:
            sport.verified = QuoteCache()
        self._apply_odds(sport, answer, response, sport.verified, events, is_snapshot=is_snapshot)
        sport.verified_cursor = answer.last
        sport.move_verification(VerificationTrigger.SNAPSHOT if is_snapshot else VerificationTrigger.CHANGES)
        if is_snapshot:
            return
        for event in sport.events:
            quotes = sport.verified.snapshot(event)
            if quotes != self._quote_cache.snapshot(event):
                # A batch that the engine can't agree with, also where nothing is quoted any more.
                events.append(VerificationSnapshot([self._batch(quotes or [MarketGone(str(event))])]))
                return
        if all(each.verification is VerificationState.IDLE for each in self._sports.values()):
            events.append(VerificationSnapshot([]))

    def _apply_odds(
        self,
        sport: Sport,
        answer: Odds,
        response: Response,
        quote_cache: QuoteCache,
        events: list[CodecEvent],
        *,
        is_snapshot: bool,
    ) -> list[FeedUpdate]:
        """Apply an answer to a quote cache and return what it changes."""
        updates: list[FeedUpdate] = []
        seen: set[EventId] = set()
        for league in answer.leagues:
            for odds in league.events:
                event = event_id(self._name, str(odds.id))
                fixture = sport.events.get(event)
                if fixture is None:
                    # Its fixture comes with the next call. Until then the event is unknown, so both endpoints are called again.
                    sport.fixtures.due_ms = min(sport.fixtures.due_ms, response.at_ms)
                    sport.has_unknown_events = True
                    continue
                seen.add(event)
                for raw in odds.periods:
                    try:
                        period = _decode_period(raw)
                    except msgspec.DecodeError as error:
                        # It may have changed any market of the event, so all of them are withdrawn until they are quoted again.
                        events.append(Rejected(f"period of event {odds.id}", str(error), excerpt(bytes(raw))))
                        updates += quote_cache.remove_event(event)
                        break
                    updates += self._apply_period(event, fixture, period, quote_cache, response.at_ms)
        if is_snapshot:
            for unquoted in sorted(sport.events.keys() - seen):
                updates += quote_cache.retain_markets(unquoted, ())
        return updates

    def _apply_period(
        self, event: EventId, fixture: Fixture, quoted: Period, quote_cache: QuoteCache, now_ms: int
    ) -> list[FeedUpdate]:
        period = PERIODS.get(quoted.number)
        if period is None:
            return []
        closes_ms = cutoff_ms(quoted)
        is_closed = quoted.status != 1 or fixture.status == "I" or (closes_ms is not None and closes_ms <= now_ms)
        if closes_ms is not None and not is_closed:
            self._cutoffs[event, period] = closes_ms
        else:
            self._cutoffs.pop((event, period), None)
        phase = Phase("suspended" if is_closed else "open", fixture.liveStatus == 1)
        updates: list[FeedUpdate] = []
        retained = [each.id for each in quote_cache.definitions(event) if each.period != period]
        for definition, quotes in to_markets(event, fixture, quoted, period, phase):
            retained.append(definition.id)
            updates += quote_cache.update_market(definition, quotes)
        return updates + quote_cache.retain_markets(event, retained)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _suspend(self, event: EventId, period: str | None = None) -> list[FeedUpdate]:
        """Suspend the markets of an event, or of one of its periods."""
        updates: list[FeedUpdate] = []
        for market in self._quote_cache.definitions(event):
            if period in {None, market.period}:
                updates += self._quote_cache.set_status(event, market.id, "suspended")
        return updates

    def _batch(self, updates: list[FeedUpdate]) -> UpdateBatch:
        return UpdateBatch(self._name, None, updates)


def _request(name: str, url: str, params: list[tuple[str, str]], sport: int, cursor: int | None) -> Request:
    since = [] if cursor is None else [("since", str(cursor))]
    return Request(name=name, key=str(sport), url=url, params=(*params, *since))
