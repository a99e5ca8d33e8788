"""The Odds API v4, without I/O: which sport is due when, and what an answer says of every bookmaker.

Rules (The Odds API documentation, "GET odds", "Usage quota costs"):

- Every answer is whole: an event, a bookmaker or a market that is not in it is withdrawn.
- Prices are compared, never `last_update`: most of its changes move no price. One that has not been updated for too long is
  suspended: an answer can come in time and be old.
- `x-requests-remaining` and `x-requests-used` come with every answer; at the end of the quota 401 `OUT_OF_USAGE_CREDITS`.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import msgspec

from feeds.adapters.theoddsapi.budget import CreditBudget
from feeds.adapters.theoddsapi.messages import Bookmaker, Market, OddsEvent, Outcome
from feeds.feed import CodecEvent, Quota, Rejected, VerificationSnapshot
from feeds.toolkit.quote_cache import QuoteCache, decimal_odds
from feeds.toolkit.responses import PollOnly, reject_response
from feeds.toolkit.standard_markets import Phase, asian_handicap, match_result, total
from feeds.transports.http import Request
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.domain.ids import EventId, event_id

if TYPE_CHECKING:
    from feeds.adapters.theoddsapi.budget import Pressure
    from feeds.adapters.theoddsapi.config import TheOddsApiConfig
    from feeds.transports.http import Response
    from oddsengine.domain.feed_updates import FeedUpdate, MarketDefinition

#: The provider's sport groups (the part of its sport keys before the first `_`) that we have another word for.
SPORTS: Final[dict[str, str]] = {
    "soccer": "football",
    "americanfootball": "american_football",
    "icehockey": "ice_hockey",
    "mma": "mixed_martial_arts",
    "rugbyunion": "rugby_union",
    "rugbyleague": "rugby_league",
}
_RETRY_MS: Final = 1_000

_decode_events = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_event = msgspec.json.Decoder(OddsEvent).decode
_decode_bookmaker = msgspec.json.Decoder(Bookmaker).decode
_decode_market = msgspec.json.Decoder(Market).decode


class _Sport:
    """One sport's polling."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.due_ms = 0
        self.is_asked = False
        self.good_ms: int | None = None
        self.starts_ms: list[int] = []
        self.events: set[EventId] = set()


class TheOddsApiCodec(PollOnly):
    """One key's polling.

    Args:
        name: the feed's name; its sources are `<name>.<bookmaker>`.
        config: the feed's block.
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
        """How old prices may become."""
        return self._config.max_age_s

    def connection_made(self) -> None:
        """Begin anew: every sport is due, and live is only who has heard of all of them."""
        self._is_live = False
        for sport in self._sports.values():
            sport.due_ms, sport.is_asked, sport.good_ms = 0, False, None

    # -- asking ---------------------------------------------------------------------------------------------------

    def next_request(self, now_ms: int) -> Request | None:
        """Ask for the sport that has been due longest, if it can be paid."""
        due = [sport for sport in self._sports.values() if not sport.is_asked and sport.due_ms <= now_ms]
        if not due or not self.budget.can_pay(now_ms):
            return None
        sport = min(due, key=lambda each: each.due_ms)
        sport.is_asked = True
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
        """Tell when the next sport is due; where there are no credits left, look again every second."""
        due = min((sport.due_ms for sport in self._sports.values() if not sport.is_asked), default=None)
        if due is not None and self.budget.remaining - self._config.reserve_credits < self._config.call_credits:
            return due + _RETRY_MS
        return due

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Take an answer; see `feeds.feed.Poller`."""
        sport = self._sports.get(response.request.key)
        if sport is None:
            return [Rejected("answer", f"of {response.request.key!r}, which is not asked for", "")]
        sport.is_asked = False
        events: list[CodecEvent] = []
        self._note_quota(response, events)
        if not response.ok:
            sport.due_ms = response.at_ms
            return [*events, self._failed(response)]
        try:
            raw_events = _decode_events(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            sport.due_ms = response.at_ms + _RETRY_MS
            return [*events, Rejected(f"answer for {sport.key}", str(error), excerpt(response.body))]
        updates: dict[str, list[FeedUpdate]] = {bookmaker: [] for bookmaker in self._quote_caches}
        seen: set[EventId] = set()
        sport.starts_ms = []
        for raw in raw_events:
            self._event(raw, sport, response, updates, seen, events)
        for gone in sport.events - seen:
            for bookmaker, quote_cache in self._quote_caches.items():
                updates[bookmaker] += quote_cache.remove_event(gone)
        sport.events = seen
        sport.good_ms = response.at_ms
        sport.due_ms = response.at_ms + round(
            self.budget.interval_s(self._pressure(sport, response.at_ms), response.at_ms) * 1000
        )
        events += [UpdateBatch(self._source(bookmaker), None, said) for bookmaker, said in updates.items() if said]
        # A whole answer confirms what it did not change.
        events.append(VerificationSnapshot([]))
        if not self._is_live and all(each.good_ms is not None for each in self._sports.values()):
            self._is_live = True
            live = SourceStatus("live", "every sport answered")
            events += [UpdateBatch(self._source(bookmaker), None, [live]) for bookmaker in self._quote_caches]
        return events

    def tick(self, now_ms: int) -> list[CodecEvent]:
        """Withdraw the prices of a sport that has not been answered for too long; the others stay."""
        events: list[CodecEvent] = []
        for sport in self._sports.values():
            if sport.good_ms is None or not sport.events or now_ms - sport.good_ms <= self._config.max_age_s * 1000:
                continue
            for bookmaker, quote_cache in self._quote_caches.items():
                gone = [update for event in sorted(sport.events) for update in quote_cache.remove_event(event)]
                if gone:
                    events.append(UpdateBatch(self._source(bookmaker), None, gone))
            sport.events = set()
        return events

    # -- inside ---------------------------------------------------------------------------------------------------

    def _source(self, bookmaker: str) -> str:
        return f"{self._name}.{bookmaker}"

    def _note_quota(self, response: Response, events: list[CodecEvent]) -> None:
        try:
            remaining = float(response.headers["x-requests-remaining"])
            used = float(response.headers.get("x-requests-used", 0))
        except (KeyError, ValueError):
            return
        self.budget.tell(remaining, used, response.at_ms)
        events.append(Quota(used, remaining))

    def _failed(self, response: Response) -> CodecEvent:
        if b"OUT_OF_USAGE_CREDITS" in response.body:
            self.budget.tell(0.0, self.budget.used, response.at_ms)
            return Rejected(f"answer for {response.request.key}", response.error_text, "")
        return reject_response(response, f"answer for {response.request.key}")

    def _pressure(self, sport: _Sport, now_ms: int) -> Pressure:
        if any(start <= now_ms for start in sport.starts_ms):
            return "in_play"
        near_ms = now_ms + self._config.near_min * 60_000
        return "near" if any(start <= near_ms for start in sport.starts_ms) else "idle"

    def _event(
        self,
        raw: msgspec.Raw,
        sport: _Sport,
        response: Response,
        updates: dict[str, list[FeedUpdate]],
        seen: set[EventId],
        events: list[CodecEvent],
    ) -> None:
        """Read one event with all its bookmakers; what can't be read is rejected alone, and withdrawn by not being there."""
        try:
            said = _decode_event(raw)
            start_ms = round(datetime.fromisoformat(said.commence_time).timestamp() * 1000)
        except (msgspec.DecodeError, ValueError) as error:
            events.append(Rejected(f"event in {sport.key}", str(error), excerpt(bytes(raw))))
            return
        event = event_id(self._name, said.id)
        seen.add(event)
        sport.starts_ms.append(start_ms)
        in_play = start_ms <= response.at_ms
        described = self._describe(event, said, start_ms, in_play=in_play)
        quoted: dict[str, list[msgspec.Raw]] = {}
        for raw_bookmaker in said.bookmakers:
            try:
                bookmaker = _decode_bookmaker(raw_bookmaker)
            except msgspec.DecodeError as error:
                events.append(Rejected(f"bookmaker of event {said.id}", str(error), excerpt(bytes(raw_bookmaker))))
                continue
            quoted[bookmaker.key] = bookmaker.markets
        for key, quote_cache in self._quote_caches.items():
            if key not in quoted:
                updates[key] += quote_cache.remove_event(event)
                continue
            updates[key] += quote_cache.update_event(described)
            kept: list[str] = []
            for raw_market in quoted[key]:
                try:
                    market = _decode_market(raw_market)
                except msgspec.DecodeError as error:
                    events.append(Rejected(f"market of {key} on event {said.id}", str(error), excerpt(bytes(raw_market))))
                    continue
                fresh = self._is_fresh(market, response)
                for definition, quotes in _markets(event, said, market, Phase("open" if fresh else "suspended", in_play)):
                    kept.append(definition.id)
                    updates[key] += quote_cache.update_market(definition, quotes)
            updates[key] += quote_cache.retain_markets(event, kept)

    def _is_fresh(self, market: Market, response: Response) -> bool:
        """Tell whether the provider itself has looked at a market lately, by its own clock; answers can be good and frozen."""
        updated_ms = _time_ms(market.last_update)
        if updated_ms is None:
            return True
        try:
            now_ms = parsedate_to_datetime(response.headers["date"]).timestamp() * 1000
        except (KeyError, ValueError):
            now_ms = response.at_ms
        return now_ms - updated_ms <= self._config.max_update_age_s * 1000

    def _describe(self, event: EventId, said: OddsEvent, start_ms: int, *, in_play: bool) -> Event:
        group, _, _ = said.sport_key.partition("_")
        sides = tuple(side for side in (said.home_team, said.away_team) if side)
        return Event(
            id=event,
            sport=SPORTS.get(group, group),
            competition=Competition(f"{self._name}.{said.sport_key}", said.sport_title or said.sport_key),
            name=" v ".join(sides) or said.id,
            participants=sides,
            start_ms=start_ms,
            in_play=in_play,
        )


def _markets(event: EventId, said: OddsEvent, market: Market, phase: Phase) -> list[tuple[MarketDefinition, dict[str, float]]]:
    """Translate one of the provider's markets: spreads and totals part into lines."""
    home, away = said.home_team or "", said.away_team or ""
    if market.key == "h2h":
        keys = {home: "home", away: "away", "Draw": "draw"}
        quotes = _quotes([(keys.get(each.name), each) for each in market.outcomes])
        three_way = any(each.name == "Draw" for each in market.outcomes)
        return [(match_result(event, home, away, phase, three_way=three_way), quotes)]
    lines: dict[float, list[tuple[str | None, Outcome]]] = {}
    for each in market.outcomes:
        if each.point is None:
            continue
        if market.key == "totals":
            lines.setdefault(each.point, []).append(({"Over": "over", "Under": "under"}.get(each.name), each))
        elif market.key == "spreads":
            side = {home: "home", away: "away"}.get(each.name)
            lines.setdefault(each.point if side == "home" else -each.point, []).append((side, each))
    if market.key == "totals":
        return [(total(event, line, phase), _quotes(sides)) for line, sides in lines.items()]
    return [(asian_handicap(event, line or 0.0, home, away, phase), _quotes(sides)) for line, sides in lines.items()]


def _time_ms(text: str | None) -> int | None:
    try:
        return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None


def _quotes(outcomes: list[tuple[str | None, Outcome]]) -> dict[str, float]:
    return {key: odds for key, outcome in outcomes if key is not None and (odds := decimal_odds(outcome.price)) is not None}
