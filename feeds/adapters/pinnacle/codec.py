"""Pinnacle's lines API, without I/O: which request is due, and what an answer changes.

Rules (Pinnacle lines API documentation):

- A call without `since` is a snapshot that may have been cached for a minute. Nothing may be offered on its basis alone, so a
  recovery is fixtures, a snapshot, and the changes since the snapshot.
- A call with `since` returns changed periods, each complete: a market missing from one is gone. An empty body: no changes.
- Fixtures and odds have separate cursors for each sport; 0 and 1 are never cursors.
- A period is open by its own `status` until its `cutoff`; an unavailable fixture (H) suspends what was quoted before.
- A match is several fixtures: before it, live, for each unit (`fixtures`). They are one event; the live ones count once it has
  started.
- Each endpoint keeps its own interval, in recoveries and verifications too, and after errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feeds.adapters.pinnacle.markets import without_bad_lines
from feeds.adapters.pinnacle.messages import Fixture, Fixtures, Odds, Period
from feeds.adapters.pinnacle.quoting import SportQuotes
from feeds.adapters.pinnacle.sport import Sport, to_cursor
from feeds.adapters.pinnacle.sport_states import RecoveryTrigger, VerificationState, VerificationTrigger
from feeds.feed import CodecEvent, Rejected, Unreadable, VerificationSnapshot
from feeds.toolkit.responses import PollOnly, max_failing_s, reject_response
from feeds.toolkit.timestamps import time_ms
from feeds.transports.http import Request
from oddsengine.common.excerpts import echoed, excerpt
from oddsengine.domain.feed_updates import MarketGone, SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from feeds.adapters.pinnacle.config import PinnacleConfig
    from feeds.adapters.pinnacle.fixtures import Listed
    from feeds.adapters.pinnacle.sport import Endpoint
    from feeds.transports.http import Response
    from oddsengine.domain.feed_updates import FeedUpdate
    from oddsengine.domain.ids import EventId

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
        self._sports = {number: Sport(name, number) for number in config.sports}
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
        sport = self._sports.get(int(response.request.key)) if response.request.key.isdecimal() else None
        if sport is None:
            return [Rejected("answer", f"unknown sport {echoed(response.request.key)}", "")]
        what = response.request.name
        endpoint = sport.fixtures if what == "fixtures" else sport.odds
        endpoint.in_flight = False
        # A call that was answered counts, whatever the answer.
        interval_ms = round(self._config.interval_s * 1000) if response.status else 0
        endpoint.due_ms = response.at_ms + interval_ms
        endpoint.not_before_ms = endpoint.due_ms
        endpoint.is_failing = not response.ok
        if not response.ok:
            return [reject_response(response, f"{what} of sport {sport.number}")]
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
            # Nothing is lost: the cursor is unchanged, and the request is repeated in its turn.
            endpoint.is_failing = True
            return [*events, Unreadable(f"{what} of sport {sport.number}", str(error), excerpt(response.body))]
        endpoint.not_before_ms = 0
        if not self._is_live and all(each.is_current for each in self._sports.values()):
            self._is_live = True
            events.append(self._batch([SourceStatus("live", "fixtures, odds and the changes since were applied")]))
        return events

    def tick(self, now_ms: int) -> list[CodecEvent]:
        """Apply starts and cut-offs that have passed, and withdraw the sports whose odds have expired.

        So they have where the fixtures have: these say which of them are unavailable.
        """
        updates: list[FeedUpdate] = []
        for sport in self._sports.values():
            endpoints = (sport.fixtures, sport.odds)
            if sport.odds.confirmed_ms is not None and any(self._has_expired(each, now_ms) for each in endpoints):
                for event in sport.register.members:
                    updates += sport.quotes.remove_event(event)
                sport.expire()
                continue
            passed = sorted(event for event, at_ms in sport.quotes.next_ms.items() if at_ms <= now_ms)
            for event in passed:
                described, changed = self._requote(sport, event, now_ms)
                updates += described
                if sport.is_current:
                    updates += changed
                else:
                    sport.held += changed
        return [self._batch(updates)] if updates else []

    def _has_expired(self, endpoint: Endpoint, now_ms: int) -> bool:
        """Check whether the last answer of an endpoint is too old: sooner where it is known that requests fail."""
        if endpoint.confirmed_ms is None:
            return False
        max_age_s = self._config.max_age_s
        if endpoint.is_failing:
            max_age_s = min(max_age_s, max_failing_s(self._config.interval_s))
        return now_ms - endpoint.confirmed_ms > 1000 * max_age_s

    def _receive_fixtures(self, sport: Sport, response: Response, events: list[CodecEvent], *, is_snapshot: bool) -> None:
        answer = _decode_fixtures(response.body) if response.body or is_snapshot else Fixtures(last=sport.fixtures.cursor or 0)
        sport.answers += 1
        listed: dict[int, Listed] = {}
        for league in answer.league:
            for raw in league.events:
                try:
                    fixture = _decode_fixture(raw)
                except msgspec.DecodeError as error:
                    events.append(Rejected(f"fixture of league {league.id}", str(error), excerpt(bytes(raw))))
                    continue
                if time_ms(fixture.starts) is None:
                    events.append(Rejected(f"start of fixture {fixture.id}", f"{echoed(fixture.starts)} is not a time", ""))
                listed[fixture.id] = sport.register.enter(fixture, league.id, league.name, sport.answers)
        before = set(sport.register.listed)
        touched = sport.register.update(listed, is_snapshot=is_snapshot)
        for gone in before - sport.register.listed.keys():
            sport.quotes.forget(gone)
        updates: list[FeedUpdate] = []
        for event in touched:
            described, changed = self._requote(sport, event, response.at_ms)
            updates += described
            if sport.is_current:
                updates += changed
            else:
                sport.held += changed
        sport.fixtures.cursor = to_cursor(answer.last)
        sport.fixtures.confirmed_ms = response.at_ms
        sport.move_recovery(RecoveryTrigger.FIXTURES)
        if sport.has_unknown_events:
            sport.has_unknown_events, sport.odds.cursor, sport.odds.due_ms = False, None, 0
        events += sport.quotes.quote_cache.take_rejected(self._name)
        if updates:
            events.append(self._batch(updates))

    def _requote(self, sport: Sport, event: EventId, now_ms: int) -> tuple[list[FeedUpdate], list[FeedUpdate]]:
        """Return what changes in the description of an event, or by its end, and what changes in its markets."""
        members = sport.register.members.get(event)
        if members is None:
            return sport.quotes.remove_event(event), []
        description = sport.register.event(event, sport.name, now_ms, sport.quotes.score(members))
        described = sport.quotes.quote_cache.update_event(description)
        return described, sport.quotes.requote(event, members, now_ms)

    def _receive_odds(self, sport: Sport, response: Response, events: list[CodecEvent], *, is_snapshot: bool) -> None:
        answer = _decode_odds(response.body) if response.body or is_snapshot else Odds(last=sport.odds.cursor or 0)
        for event in self._apply_odds(sport, answer, response, sport.quotes, events, is_snapshot=is_snapshot):
            described, changed = self._requote(sport, event, response.at_ms)
            sport.held += described + changed
        events += sport.quotes.quote_cache.take_rejected(self._name)
        if not is_snapshot:
            sport.move_recovery(RecoveryTrigger.CHANGES)
        sport.odds.cursor = to_cursor(answer.last)
        sport.odds.confirmed_ms = response.at_ms
        if sport.is_current and sport.held:
            events.append(self._batch(sport.held))
            sport.held = []

    def _receive_verification(self, sport: Sport, response: Response, events: list[CodecEvent], *, is_snapshot: bool) -> None:
        """Build a second set of quotes from a snapshot and the changes since it, and compare it with the first."""
        answer = _decode_odds(response.body) if response.body or is_snapshot else Odds(last=sport.verified_cursor or 0)
        expected = VerificationState.SNAPSHOT_DUE if is_snapshot else VerificationState.CHANGES_DUE
        if sport.verification is not expected:
            return
        if is_snapshot:
            sport.verified = SportQuotes(sport.name)
        self._apply_odds(sport, answer, response, sport.verified, events, is_snapshot=is_snapshot)
        sport.verified_cursor = answer.last
        sport.move_verification(VerificationTrigger.SNAPSHOT if is_snapshot else VerificationTrigger.CHANGES)
        if is_snapshot:
            return
        events += self.tick(response.at_ms)
        for event, members in sport.register.members.items():
            sport.verified.requote(event, members, response.at_ms)
            quotes = sport.verified.quote_cache.snapshot(event)
            if quotes != sport.quotes.quote_cache.snapshot(event):
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
        quotes: SportQuotes,
        events: list[CodecEvent],
        *,
        is_snapshot: bool,
    ) -> list[EventId]:
        """Apply the periods of an answer and return the events they bear on."""
        sport.answers += 1
        register = sport.register
        quoted: set[int] = set()
        for league in answer.leagues:
            for odds in league.events:
                if odds.id not in register.listed:
                    # Its fixture comes with the next call. Until then the event is unknown, so both endpoints are called again.
                    sport.fixtures.due_ms = min(sport.fixtures.due_ms, response.at_ms)
                    sport.has_unknown_events = True
                    continue
                if is_snapshot and odds.id not in quoted:
                    quotes.forget(odds.id)
                quoted.add(odds.id)
                quotes.set_score(odds.id, odds.homeScore, odds.awayScore)
                for raw in odds.periods:
                    try:
                        period, problems = without_bad_lines(_decode_period(raw))
                    except msgspec.DecodeError as error:
                        # It may have changed any market, so all of them are withdrawn until they are quoted again.
                        events.append(Rejected(f"period of event {odds.id}", str(error), excerpt(bytes(raw))))
                        quotes.forget(odds.id)
                        break
                    events += [Rejected(f"line of event {odds.id}", problem, excerpt(bytes(raw))) for problem in problems]
                    quotes.set_period(odds.id, period, sport.answers)
        if is_snapshot:
            for unquoted in register.listed.keys() - quoted:
                quotes.forget(unquoted)
            return sorted(register.members)
        return sorted({register.event_of[number] for number in quoted})

    # -- inside ---------------------------------------------------------------------------------------------------

    def _batch(self, updates: list[FeedUpdate]) -> UpdateBatch:
        return UpdateBatch(self._name, None, updates)


def _request(name: str, url: str, params: list[tuple[str, str]], sport: int, cursor: int | None) -> Request:
    since = [] if cursor is None else [("since", str(cursor))]
    return Request(name=name, key=str(sport), url=url, params=(*params, *since))
