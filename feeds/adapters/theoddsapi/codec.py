"""The Odds API v4, without I/O: which sport is due, and what an answer changes at every bookmaker.

Rules (The Odds API documentation, "GET odds", "Usage quota costs"):

- Every answer is complete: an event, bookmaker or market missing from it is withdrawn.
- Prices are compared, never `last_update`, which mostly changes without them. A price that has not been updated for too long is
  suspended, because a prompt answer may hold old data.
- An event is in play from its `commence_time` on; nothing else says so. What was last updated before it is a price of before the
  match, and is suspended from then on.
- `x-requests-remaining` and `x-requests-used` come with every answer; once the quota is used up, 401 `OUT_OF_USAGE_CREDITS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from feeds.adapters.theoddsapi.budget import CreditBudget
from feeds.adapters.theoddsapi.markets import to_event, to_markets, updated_ms
from feeds.adapters.theoddsapi.messages import Bookmaker, Market, OddsEvent
from feeds.feed import CodecEvent, Quota, Rejected, Unreadable, VerificationSnapshot
from feeds.toolkit.quote_cache import QuoteCache
from feeds.toolkit.responses import PollOnly, max_failing_s, reject_response
from feeds.toolkit.standard_markets import Phase
from feeds.transports.dates import http_date_ms
from feeds.transports.http import Request
from oddsengine.common.excerpts import echoed, excerpt
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.domain.ids import EventId, event_id

if TYPE_CHECKING:
    from feeds.adapters.theoddsapi.budget import Pressure
    from feeds.adapters.theoddsapi.config import TheOddsApiConfig
    from feeds.transports.http import Response
    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import FeedUpdate

_RETRY_MS: Final = 1_000
_MAX_DOUBLINGS: Final = 20

_decode_events = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_event = msgspec.json.Decoder(OddsEvent).decode
_decode_bookmaker = msgspec.json.Decoder(Bookmaker).decode
_decode_market = msgspec.json.Decoder(Market).decode


class _Sport:
    """The polling of one sport. `due_ms` is the time of its next call, unless one is in flight."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.due_ms = 0
        #: no call before, not on a new connection either: one that failed may have cost credits too
        self.not_before_ms = 0
        self.failures = 0
        self.in_flight = False
        #: when it was last answered, Unix milliseconds, and how long the next call was put off then
        self.confirmed_ms: int | None = None
        self.interval_s = 0.0
        self.starts_ms: list[int] = []
        self.events: set[EventId] = set()
        #: the events that had not started by the last answer, with their starts in Unix milliseconds
        self.upcoming: dict[EventId, int] = {}


class TheOddsApiCodec(PollOnly):
    """The polling of one key.

    Args:
        name: the feed's name; its sources are `<name>.<bookmaker>`.
        config: the feed's config block.
    """

    def __init__(self, name: str, config: TheOddsApiConfig) -> None:
        self._name = name
        self._config = config
        self.budget = CreditBudget(config)
        self._sports = {key: _Sport(key) for key in config.sports}
        self._quote_caches = {bookmaker: QuoteCache() for bookmaker in config.bookmakers}
        self._is_live = False

    @property
    def silence_limit_s(self) -> float:
        """The age at which prices expire, or how long the budget puts off the next call if that is longer.

        A connection that is given up because nothing was asked would ask at once on the next one, and spend what was saved.
        """
        planned_ms = max((sport.due_ms - sport.confirmed_ms for sport in self._sports.values() if sport.confirmed_ms), default=0)
        return max(self._config.max_age_s, planned_ms / 1000 + 2 * self._config.timeout_s)

    def connection_made(self) -> None:
        """Start a new connection: every sport is due, and the feed is live once all have been answered."""
        self._is_live = False
        for sport in self._sports.values():
            sport.due_ms, sport.in_flight, sport.confirmed_ms = sport.not_before_ms, False, None

    # -- requests -------------------------------------------------------------------------------------------------

    def next_request(self, now_ms: int) -> Request | None:
        """Return the request for the sport that has been due longest, if the budget allows it."""
        due = [sport for sport in self._sports.values() if not sport.in_flight and sport.due_ms <= now_ms]
        if not due or not self.budget.can_pay(now_ms):
            return None
        sport = min(due, key=lambda each: each.due_ms)
        sport.in_flight = True
        return Request(
            name="odds",
            key=sport.key,
            url=f"/v4/sports/{sport.key}/odds",
            params=(
                ("bookmakers", ",".join(self._config.bookmakers)),
                ("markets", ",".join(self._config.markets)),
                ("oddsFormat", "decimal"),
            ),
        )

    def next_due_ms(self) -> int | None:
        """Return when the next sport is due, Unix milliseconds; without credits, a second later each time."""
        due = min((sport.due_ms for sport in self._sports.values() if not sport.in_flight), default=None)
        if due is not None and self.budget.remaining - self._config.reserve_credits < self._config.call_credits:
            return due + _RETRY_MS
        return due

    # -- answers --------------------------------------------------------------------------------------------------

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Process an answer; see `feeds.feed.Poller`."""
        sport = self._sports.get(response.request.key)
        if sport is None:
            return [Rejected("answer", f"unknown sport {echoed(response.request.key)}", "")]
        sport.in_flight = False
        events: list[CodecEvent] = []
        self._update_quota(response, events)
        if not response.ok:
            self._postpone(sport, response)
            return [*events, self._reject(response)]
        try:
            raw_events = _decode_events(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._postpone(sport, response)
            return [*events, Unreadable(f"answer for {sport.key}", str(error), excerpt(response.body))]
        updates: dict[str, list[FeedUpdate]] = {bookmaker: [] for bookmaker in self._quote_caches}
        self._apply_answer(sport, raw_events, response, updates, events)
        sport.interval_s = self.budget.interval_s(self._pressure(sport, response.at_ms), response.at_ms)
        sport.confirmed_ms = response.at_ms
        sport.failures = sport.not_before_ms = 0
        sport.due_ms = response.at_ms + round(sport.interval_s * 1000)
        events += [UpdateBatch(self._source(bookmaker), None, changes) for bookmaker, changes in updates.items() if changes]
        # A complete answer also verifies what it did not change.
        events.append(VerificationSnapshot([]))
        if not self._is_live and all(each.confirmed_ms is not None for each in self._sports.values()):
            self._is_live = True
            live = SourceStatus("live", "every sport answered")
            events += [UpdateBatch(self._source(bookmaker), None, [live]) for bookmaker in self._quote_caches]
        return events

    def tick(self, now_ms: int) -> list[CodecEvent]:
        """Withdraw the prices of the sports whose answers have expired, and suspend those of events that have started since."""
        events: list[CodecEvent] = []
        for sport in self._sports.values():
            events += self._begin_events(sport, now_ms)
            if sport.confirmed_ms is None or not sport.events or now_ms - sport.confirmed_ms <= 1000 * self._max_age_s(sport):
                continue
            for bookmaker, quote_cache in self._quote_caches.items():
                gone = [update for event in sorted(sport.events) for update in quote_cache.remove_event(event)]
                if gone:
                    events.append(UpdateBatch(self._source(bookmaker), None, gone))
            sport.events = set()
        return events

    def _max_age_s(self, sport: _Sport) -> float:
        """Return at which age the prices of a sport expire: sooner where it is known that calls for them fail."""
        max_age_s = self._config.max_age_s
        return min(max_age_s, max_failing_s(sport.interval_s)) if sport.failures else max_age_s

    def _begin_events(self, sport: _Sport, now_ms: int) -> list[CodecEvent]:
        """Suspend the markets of events that have started since the last answer, and ask again now."""
        begun = [event for event, start_ms in sport.upcoming.items() if start_ms <= now_ms]
        if not begun:
            return []
        sport.due_ms = max(sport.not_before_ms, min(sport.due_ms, now_ms))
        batches: list[CodecEvent] = []
        for bookmaker, quote_cache in self._quote_caches.items():
            updates = [
                update
                for event in begun
                for definition in quote_cache.definitions(event)
                for update in quote_cache.set_status(event, definition.id, "suspended")
            ]
            if updates:
                batches.append(UpdateBatch(self._source(bookmaker), None, updates))
        for event in begun:
            del sport.upcoming[event]
        return batches

    def _apply_answer(
        self,
        sport: _Sport,
        raw_events: list[msgspec.Raw],
        response: Response,
        updates: dict[str, list[FeedUpdate]],
        events: list[CodecEvent],
    ) -> None:
        """Apply the events of an answer, and withdraw those missing from it. What can't be decoded counts as missing."""
        seen: set[EventId] = set()
        sport.starts_ms = []
        sport.upcoming = {}
        for raw in raw_events:
            try:
                quoted = _decode_event(raw)
                event = to_event(self._name, quoted, event_id(self._name, quoted.id), response.at_ms)
            except msgspec.DecodeError as error:
                events.append(Rejected(f"event in {sport.key}", str(error), excerpt(bytes(raw))))
                continue
            if event.start_ms is None:
                events.append(Rejected(f"start of event {quoted.id}", f"{echoed(quoted.commence_time)} is not a time", ""))
            seen.add(event.id)
            if event.start_ms is not None:
                sport.starts_ms.append(event.start_ms)
                if not event.in_play:
                    sport.upcoming[event.id] = event.start_ms
            self._apply_event(event, quoted, response, updates, events)
        for gone in sorted(sport.events - seen):
            for bookmaker, quote_cache in self._quote_caches.items():
                updates[bookmaker] += quote_cache.remove_event(gone)
        sport.events = seen

    def _apply_event(
        self,
        event: Event,
        quoted: OddsEvent,
        response: Response,
        updates: dict[str, list[FeedUpdate]],
        events: list[CodecEvent],
    ) -> None:
        raw_markets: dict[str, list[msgspec.Raw]] = {}
        for raw in quoted.bookmakers:
            try:
                bookmaker = _decode_bookmaker(raw)
            except msgspec.DecodeError as error:
                events.append(Rejected(f"bookmaker of event {quoted.id}", str(error), excerpt(bytes(raw))))
                continue
            raw_markets[bookmaker.key] = bookmaker.markets
        for key, quote_cache in self._quote_caches.items():
            if key not in raw_markets:
                updates[key] += quote_cache.remove_event(event.id)
                continue
            updates[key] += quote_cache.update_event(event)
            retained: list[str] = []
            for raw in raw_markets[key]:
                try:
                    market = _decode_market(raw)
                except msgspec.DecodeError as error:
                    events.append(Rejected(f"market of {key} on event {quoted.id}", str(error), excerpt(bytes(raw))))
                    continue
                is_open = self._is_fresh(market, response) and not _is_pre_match_quote(market, event)
                phase = Phase("open" if is_open else "suspended", event.in_play)
                problems: list[str] = []
                had_draw = quote_cache.has_draw(event.id, "ft")
                for definition, prices in to_markets(event.id, quoted, market, phase, problems, had_draw=had_draw):
                    if definition.id not in retained:
                        retained.append(definition.id)
                        updates[key] += quote_cache.update_market(definition, prices)
                where = f"{'h2h' if market.key == 'h2h' else 'line'} of {key} on event {quoted.id}"
                events += [Rejected(where, problem, excerpt(bytes(raw))) for problem in problems]
            updates[key] += quote_cache.retain_markets(event.id, retained)
            events += quote_cache.take_rejected(key)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _source(self, bookmaker: str) -> str:
        return f"{self._name}.{bookmaker}"

    def _update_quota(self, response: Response, events: list[CodecEvent]) -> None:
        try:
            remaining = float(response.headers["x-requests-remaining"])
            used = float(response.headers.get("x-requests-used", 0))
        except (KeyError, ValueError):
            return
        self.budget.update(remaining, used, response.at_ms)
        events.append(Quota(used, remaining))

    def _postpone(self, sport: _Sport, response: Response) -> None:
        """Delay the next call after one that failed: longer with every failure, up to what the budget allows anyway."""
        if response.ok and "x-requests-remaining" not in response.headers:
            # It may have cost credits as any other, and does not name those that remain.
            self.budget.spend(response.at_ms)
        interval_s = self.budget.interval_s(self._pressure(sport, response.at_ms), response.at_ms)
        wait_ms = min(_RETRY_MS * 2 ** min(sport.failures, _MAX_DOUBLINGS), round(interval_s * 1000)) if response.status else 0
        sport.failures += 1
        sport.due_ms = sport.not_before_ms = response.at_ms + wait_ms

    def _reject(self, response: Response) -> CodecEvent:
        what = f"answer for {response.request.key}"
        if b"OUT_OF_USAGE_CREDITS" in response.body:
            self.budget.update(0.0, self.budget.used, response.at_ms)
            return Rejected(what, response.error_text, "")
        return reject_response(response, what)

    def _pressure(self, sport: _Sport, now_ms: int) -> Pressure:
        if any(start <= now_ms for start in sport.starts_ms):
            return "in_play"
        near_ms = now_ms + self._config.near_min * 60_000
        return "near" if any(start <= near_ms for start in sport.starts_ms) else "idle"

    def _is_fresh(self, market: Market, response: Response) -> bool:
        """Check whether the provider has updated a market lately, by its own clock: a good answer may hold frozen data."""
        at_ms = updated_ms(market)
        if at_ms is None:
            return True
        now_ms = http_date_ms(response.headers.get("date")) or response.at_ms
        return now_ms - at_ms <= self._config.max_update_age_s * 1000


def _is_pre_match_quote(market: Market, event: Event) -> bool:
    """Check whether the odds of an event in play were last updated before its start."""
    at_ms = updated_ms(market)
    return event.in_play and event.start_ms is not None and at_ms is not None and at_ms < event.start_ms
