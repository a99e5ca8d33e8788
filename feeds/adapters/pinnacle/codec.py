"""Pinnacle's lines API, without I/O: cursors, what is due, and what an answer changes.

Rules (Pinnacle lines API documentation):

- A call without `since` is a snapshot that may be cached for a minute: nothing may be offered by it alone, so a recovery is
  fixtures, the snapshot, and then what has changed since it.
- A call with `since` brings changed periods, each complete: a market missing in one is gone. An empty body: nothing changed.
- Fixtures and odds have cursors of their own, one a sport; 0 and 1 are never cursors.
- A period is suspended by `status` 2, by its fixture being unavailable, and by its `cutoff` passing.
- Each endpoint is asked in its own time, in recoveries and samples too; 429 is answered by waiting.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from feeds.adapters.pinnacle.messages import Fixture, Fixtures, Odds, Period
from feeds.feed import CodecEvent, Rejected, VerificationSnapshot
from feeds.toolkit.quote_cache import QuoteCache, decimal_odds
from feeds.toolkit.responses import PollOnly, reject_response
from feeds.toolkit.standard_markets import Phase, asian_handicap, match_result, total
from feeds.transports.http import Request
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import MarketGone, SourceStatus, UpdateBatch
from oddsengine.domain.ids import EventId, event_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feeds.adapters.pinnacle.config import PinnacleConfig
    from feeds.transports.http import Response
    from oddsengine.domain.feed_updates import FeedUpdate, MarketDefinition

#: Pinnacle's sport ids that the engine has a word for; others are published as `pinnacle-<id>`.
SPORTS: Final[dict[int, str]] = {
    3: "baseball",
    4: "basketball",
    6: "boxing",
    8: "cricket",
    10: "darts",
    15: "american_football",
    17: "golf",
    19: "ice_hockey",
    22: "mixed_martial_arts",
    26: "rugby_league",
    27: "rugby_union",
    28: "snooker",
    29: "football",
    33: "tennis",
}
PERIODS: Final[dict[int, str]] = {0: "ft", 1: "h1", 2: "h2"}
_NO_CURSORS: Final = frozenset({0, 1})
_RETRY_MS: Final = 1_000

_decode_fixtures = msgspec.json.Decoder(Fixtures).decode
_decode_fixture = msgspec.json.Decoder(Fixture).decode
_decode_odds = msgspec.json.Decoder(Odds).decode
_decode_period = msgspec.json.Decoder(Period).decode


class _Endpoint:
    """One endpoint's polling for one sport."""

    def __init__(self) -> None:
        self.cursor: int | None = None
        self.due_ms = 0
        self.is_asked = False


class _Sport:
    def __init__(self, number: int) -> None:
        self.number = number
        self.name = SPORTS.get(number, f"pinnacle-{number}")
        self.fixtures = _Endpoint()
        self.odds = _Endpoint()
        #: whether fixtures have been heard on this connection, and odds after the snapshot
        self.has_fixtures = False
        self.is_current = False
        self.good_ms: int | None = None
        self.wants_sample = False
        self.sample: QuoteCache | None = None
        self.sample_cursor: int | None = None
        #: what a snapshot said that may have been in a cache
        self.held: list[FeedUpdate] = []
        #: whether odds came of an event that no fixture had named
        self.misses_fixtures = False
        #: event -> the provider's fixture
        self.events: dict[EventId, Fixture] = {}

    @property
    def endpoints(self) -> tuple[_Endpoint, _Endpoint]:
        return self.fixtures, self.odds


class PinnacleCodec(PollOnly):
    """One account's polling.

    Args:
        name: the feed's name, and its source's.
        config: the feed's block.
    """

    def __init__(self, name: str, config: PinnacleConfig) -> None:
        self._name = name
        self._config = config
        self._sports = {number: _Sport(number) for number in config.sports}
        self._quote_cache = QuoteCache()
        #: (event, period) -> when it may not be bet on any more, Unix milliseconds
        self._cutoffs: dict[tuple[EventId, str], int] = {}
        self._is_live = False

    @property
    def silence_limit_s(self) -> float:
        """How long nothing may be confirmed."""
        return self._config.max_age_s

    def connection_made(self) -> None:
        """Begin anew where the cursors stand."""
        self._is_live = False
        for sport in self._sports.values():
            sport.has_fixtures = sport.is_current = sport.wants_sample = False
            sport.good_ms = sport.sample = None
            for endpoint in sport.endpoints:
                endpoint.is_asked, endpoint.due_ms = False, 0

    def reset(self) -> None:
        """Forget the cursors: the next answers are snapshots."""
        for sport in self._sports.values():
            for endpoint in sport.endpoints:
                endpoint.cursor = None

    # -- asking ---------------------------------------------------------------------------------------------------

    def next_request(self, now_ms: int) -> Request | None:
        """Ask for what has been due longest."""
        due = [
            (endpoint.due_ms, sport.number, what)
            for sport in self._sports.values()
            for what, endpoint in self._open_endpoints(sport)
            if endpoint.due_ms <= now_ms
        ]
        if not due:
            return None
        _, number, what = min(due)
        sport = self._sports[number]
        endpoint = sport.fixtures if what == "fixtures" else sport.odds
        endpoint.is_asked = True
        sample = what == "odds" and sport.wants_sample and sport.is_current
        cursor = endpoint.cursor if not sample else None if sport.sample is None else sport.sample_cursor
        params = [("sportId", str(number)), *([("oddsFormat", "Decimal")] if what == "odds" else [])]
        if cursor is not None:
            params.append(("since", str(cursor)))
        return Request(
            name="sample" if sample else what,
            key=str(number),
            url="/v1/fixtures" if what == "fixtures" else "/v2/odds",
            params=tuple(params),
        )

    def next_due_ms(self) -> int | None:
        """Tell when something will be due."""
        return min((each.due_ms for sport in self._sports.values() for _, each in self._open_endpoints(sport)), default=None)

    def request_verification(self) -> None:
        """Ask for a snapshot of every sport, in its turn: the provider allows no more."""
        for sport in self._sports.values():
            sport.wants_sample, sport.sample = True, None

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Take an answer; see `feeds.feed.Poller`."""
        sport = self._sports.get(int(response.request.key)) if response.request.key.isdigit() else None
        if sport is None:
            return [Rejected("answer", f"of sport {response.request.key!r}, which is not asked for", "")]
        what = response.request.name
        endpoint = sport.fixtures if what == "fixtures" else sport.odds
        endpoint.is_asked = False
        if not response.ok:
            endpoint.due_ms = response.at_ms
            return [reject_response(response, f"{what} of sport {sport.number}")]
        endpoint.due_ms = response.at_ms + round(self._config.interval_s * 1000)
        whole = not any(key == "since" for key, _ in response.request.params)
        events: list[CodecEvent] = []
        try:
            if what == "fixtures":
                self._fixtures(sport, response, events, whole=whole)
            else:
                (self._sampled if what == "sample" else self._odds)(sport, response, events, whole=whole)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # Nothing is lost: the cursor stands, and the same is asked again.
            endpoint.due_ms = response.at_ms + min(round(self._config.interval_s * 1000), _RETRY_MS)
            events.append(Rejected(f"{what} of sport {sport.number}", str(error), excerpt(response.body)))
            return events
        if not self._is_live and all(each.is_current for each in self._sports.values()):
            self._is_live = True
            events.append(self._batch([SourceStatus("live", "fixtures, odds and what changed since were heard")]))
        return events

    def tick(self, now_ms: int) -> list[CodecEvent]:
        """Suspend what has reached its cut-off, and withdraw a sport that has not been answered for too long."""
        updates: list[FeedUpdate] = []
        for (event, period), cutoff_ms in list(self._cutoffs.items()):
            if now_ms >= cutoff_ms:
                del self._cutoffs[event, period]
                for market in self._markets(self._quote_cache, event, period):
                    updates += self._quote_cache.set_status(event, market, "suspended")
        for sport in self._sports.values():
            if sport.good_ms is not None and now_ms - sport.good_ms > self._config.max_age_s * 1000:
                for event in sport.events:
                    updates += self._quote_cache.remove_event(event)
                sport.events = {}
                sport.good_ms = None
                for endpoint in sport.endpoints:
                    endpoint.cursor = None
                sport.has_fixtures = sport.is_current = False
                sport.held = []
        return [self._batch(updates)] if updates else []

    # -- inside ---------------------------------------------------------------------------------------------------

    def _open_endpoints(self, sport: _Sport) -> Iterator[tuple[str, _Endpoint]]:
        """Give what of a sport can be asked for now: odds wait for the fixtures that name them."""
        if not sport.fixtures.is_asked:
            yield "fixtures", sport.fixtures
        if sport.has_fixtures and not sport.odds.is_asked:
            yield "odds", sport.odds

    def _batch(self, updates: list[FeedUpdate]) -> UpdateBatch:
        return UpdateBatch(self._name, None, updates)

    def _fixtures(self, sport: _Sport, response: Response, events: list[CodecEvent], *, whole: bool) -> None:
        said = _decode_fixtures(response.body) if response.body else Fixtures(last=sport.fixtures.cursor or 0)
        updates: list[FeedUpdate] = []
        named: dict[EventId, Fixture] = {}
        for league in said.league:
            for raw in league.events:
                try:
                    fixture = _decode_fixture(raw)
                    start_ms = round(datetime.fromisoformat(fixture.starts).timestamp() * 1000)
                except (msgspec.DecodeError, ValueError) as error:
                    events.append(Rejected(f"fixture of league {league.id}", str(error), excerpt(bytes(raw))))
                    continue
                event = event_id(self._name, str(fixture.id))
                named[event] = fixture
                updates += self._quote_cache.update_event(
                    Event(
                        id=event,
                        sport=sport.name,
                        competition=Competition(f"{self._name}.{league.id}", league.name or str(league.id)),
                        name=f"{fixture.home} v {fixture.away}",
                        participants=(fixture.home, fixture.away),
                        start_ms=start_ms,
                        in_play=fixture.liveStatus == 1,
                    )
                )
                if fixture.status == "I":
                    for market in self._markets(self._quote_cache, event):
                        updates += self._quote_cache.set_status(event, market, "suspended")
        if whole:
            for gone in sport.events.keys() - named.keys():
                updates += self._quote_cache.remove_event(gone)
            sport.events = named
        else:
            sport.events |= named
        sport.fixtures.cursor = None if said.last in _NO_CURSORS else said.last
        sport.has_fixtures = True
        if sport.misses_fixtures:
            sport.misses_fixtures, sport.odds.cursor, sport.odds.due_ms = False, None, 0
        if updates:
            events.append(self._batch(updates))

    def _odds(self, sport: _Sport, response: Response, events: list[CodecEvent], *, whole: bool) -> None:
        said = _decode_odds(response.body) if response.body else Odds(last=sport.odds.cursor or 0)
        sport.held += self._applied(sport, said, response, self._quote_cache, events, whole=whole)
        # Only what was asked without being in the provider's cache is current, and only that is said.
        sport.is_current = sport.is_current or not whole
        sport.odds.cursor = None if said.last in _NO_CURSORS else said.last
        sport.good_ms = response.at_ms
        if sport.is_current and sport.held:
            events.append(self._batch(sport.held))
            sport.held = []

    def _sampled(self, sport: _Sport, response: Response, events: list[CodecEvent], *, whole: bool) -> None:
        """Build a second quote cache from a snapshot and what changed since it, and tell where it differs from the first."""
        said = _decode_odds(response.body) if response.body else Odds(last=sport.sample_cursor or 0)
        if whole:
            sport.sample = QuoteCache()
        quote_cache = sport.sample or QuoteCache()
        self._applied(sport, said, response, quote_cache, events, whole=whole)
        sport.sample_cursor = said.last
        if whole:
            return
        sport.wants_sample, sport.sample = False, None
        for event in sport.events:
            if quote_cache.snapshot(event) != self._quote_cache.snapshot(event):
                events.append(VerificationSnapshot([self._batch(quote_cache.snapshot(event) or [MarketGone(str(event))])]))
                return
        if not any(each.wants_sample for each in self._sports.values()):
            events.append(VerificationSnapshot([]))

    def _applied(
        self,
        sport: _Sport,
        said: Odds,
        response: Response,
        quote_cache: QuoteCache,
        events: list[CodecEvent],
        *,
        whole: bool,
    ) -> list[FeedUpdate]:
        """Apply an answer to a quote cache and give what that changes."""
        updates: list[FeedUpdate] = []
        heard: set[EventId] = set()
        for league in said.leagues:
            for odds in league.events:
                event = event_id(self._name, str(odds.id))
                fixture = sport.events.get(event)
                if fixture is None:
                    # Its fixture comes with the next call; nobody knows yet what it is the price of, so all is asked again.
                    sport.fixtures.due_ms = min(sport.fixtures.due_ms, response.at_ms)
                    sport.misses_fixtures = True
                    continue
                heard.add(event)
                for raw in odds.periods:
                    try:
                        period = _decode_period(raw)
                    except msgspec.DecodeError as error:
                        # It may have changed anything in the event: gone until it is heard again.
                        events.append(Rejected(f"period of event {odds.id}", str(error), excerpt(bytes(raw))))
                        updates += quote_cache.remove_event(event)
                        break
                    updates += self._period(event, fixture, period, quote_cache, response.at_ms)
        if whole:
            for silent in sport.events.keys() - heard:
                updates += quote_cache.retain_markets(silent, ())
        return updates

    def _period(self, event: EventId, fixture: Fixture, said: Period, quote_cache: QuoteCache, now_ms: int) -> list[FeedUpdate]:
        period = PERIODS.get(said.number)
        if period is None:
            return []
        cutoff_ms = _time_ms(said.cutoff)
        closed = said.status != 1 or fixture.status == "I" or (cutoff_ms is not None and cutoff_ms <= now_ms)
        if cutoff_ms is not None and not closed:
            self._cutoffs[event, period] = cutoff_ms
        else:
            self._cutoffs.pop((event, period), None)
        phase = Phase("suspended" if closed else "open", fixture.liveStatus == 1)
        updates: list[FeedUpdate] = []
        of_period = set(self._markets(quote_cache, event, period))
        kept = [market for market in self._markets(quote_cache, event) if market not in of_period]
        for definition, quotes in _translated(event, fixture, said, period, phase):
            kept.append(definition.id)
            updates += quote_cache.update_market(definition, quotes)
        return updates + quote_cache.retain_markets(event, kept)

    def _markets(self, quote_cache: QuoteCache, event: EventId, period: str | None = None) -> list[str]:
        """List what is quoted on an event, or on one of its periods."""
        return [each.id for each in quote_cache.definitions(event) if period in {None, each.period}]


def _translated(
    event: EventId, fixture: Fixture, said: Period, period: str, phase: Phase
) -> Iterator[tuple[MarketDefinition, dict[str, float]]]:
    home, away = fixture.home, fixture.away
    if said.moneyline is not None:
        three_way = said.moneyline.draw is not None
        quotes = _quotes(home=said.moneyline.home, draw=said.moneyline.draw, away=said.moneyline.away)
        yield match_result(event, home, away, phase, three_way=three_way, period=period), quotes
    for spread in said.spreads:
        definition = asian_handicap(event, spread.hdp or 0.0, home, away, phase, period=period)
        yield definition, _quotes(home=spread.home, away=spread.away)
    for each in said.totals:
        yield total(event, each.points, phase, period=period), _quotes(over=each.over, under=each.under)


def _quotes(**prices: float | None) -> dict[str, float]:
    return {key: odds for key, price in prices.items() if (odds := decimal_odds(price)) is not None}


def _time_ms(text: str | None) -> int | None:
    try:
        return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None
