"""Encodes what a shard publishes as messages. Pure: whoever reads entries and sends messages is elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from oddsengine.bridge.messages import Body, Kind, Message, Subject, Topic, encode, gap_of, subject_of_gone
from oddsengine.domain.changes import EventChange, EventRecord
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.gateway.protocol import encoders
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.positions import Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from oddsengine.bridge.messages import Gap
    from oddsengine.domain.changes import Batch, MarketChange, MarketRecord, Record, Removal
    from oddsengine.domain.results import SelectionResult
    from oddsengine.offer.entries.entry import Entry
    from oddsengine.streams.tailing.reloading_tail import Reload, StreamEntry

_EVENT, _MARKET = "e:", "m:"
_TOPICS: Final[dict[str, Topic]] = {_EVENT: "events", _MARKET: "changes"}


class Encoded(NamedTuple):
    """Messages, and which keys exist in the broker since the first of them and no longer since the last one."""

    messages: list[Message]
    added: set[str]
    gone: set[str]


class ShardEncoder:
    """The messages of one shard.

    It keeps the shard's state, so that each message has the whole market: the newest message of a key is all that a broker has to
    keep. And it knows the keys that the broker has, so that none of them outlives its market.

    Args:
        shard: the shard's number.
        profile: whose prices to publish.
        odds_format: their format.
        published: the keys that the broker has: `m:<market>` and `e:<event>`.
        profiles: the profiles, in the order of prices, of entries of an epoch before the one of the state.
    """

    def __init__(
        self, shard: int, profile: str, odds_format: str, published: Iterable[str], profiles: Sequence[str] = ()
    ) -> None:
        self._shard = shard
        self._profile = profile
        self._format = odds_format
        self._offer = ReplicaOffer(())
        self._index: int | None = None
        self._earlier = profiles
        self._published: dict[str, set[str]] = {}
        for key in published:
            self._published.setdefault(_event_of(key), set()).add(key)
        #: whether the state of the shard is known
        self.is_loaded = False
        self._position = Position(0, 0)
        self._ts_ms = 0
        self._messages: list[Message] = []
        #: how many messages there were before the present position
        self._before = 0
        self._added: set[str] = set()
        self._gone: set[str] = set()

    def load(self, at: Position, records: list[Record]) -> None:
        """Take a state over without publishing it: entries before and after it follow."""
        self._offer.load(at.epoch, at.seq, records)
        self._index = self._index_in(self._offer.profiles)
        self.is_loaded = True

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles of the state, in the order of prices."""
        return self._offer.profiles

    def _index_in(self, profiles: Sequence[str]) -> int | None:
        return profiles.index(self._profile) if self._profile in profiles else None

    def _index_of(self, change: MarketChange) -> int | None:
        """Return where the profile's prices are in a change; None if that is not known: then it has none."""
        is_present = self._position.epoch == self._offer.epoch
        profiles = self._offer.profiles if is_present else self._earlier
        fits = all(len(selection.prices) == len(profiles) for selection in change.selections.values())
        fits = fits and (change.state is None or len(change.state.terms) in {0, len(profiles)})
        return self._index_in(profiles) if fits else None

    def reload(self, found: Reload, ts_ms: int) -> Encoded:
        """Encode the whole state of a shard, with the name of the gap, and the end of everything that it lacks."""
        self.load(found.at, found.records)
        self._position, self._ts_ms = found.resumes, ts_ms
        gap = gap_of(found.cause, found.after, found.resumes)
        present: set[str] = set()
        for event, entry in sorted(self._offer.events.items()):
            self._add_event(entry.record, gap)
            present.add(_EVENT + event)
            for market in sorted(entry.markets):
                record = entry.markets[market].record
                self._add_market("snapshot", record, None, gap)
                if results := _results_of(record):
                    self._add_results(record.id, record, results, gap)
                present.add(_MARKET + market)
        for keys in list(self._published.values()):
            for key in sorted(keys - present, reverse=True):  # markets before their event
                self._remove(key, Subject(event=_event_of(key)) if key.startswith(_EVENT) else subject_of_gone(key[2:]))
        return self._taken()

    def entries(self, entries: list[StreamEntry]) -> Encoded:
        """Encode entries, each with the state of its markets after it, or after a later one if the state was loaded since."""
        for entry in entries:
            self._position, self._ts_ms = entry.position, entry.batch.ts_ms
            self._encode(entry.batch, entry.entry)
        return self._taken()

    def _encode(self, batch: Batch, published: Entry) -> None:
        offer = self._offer
        self._before = len(self._messages)
        subjects = {removal.id: self._subject_of(removal) for removal in batch.removals}
        # Entries of an epoch before the one of the state are history: only their changes are known.
        if self._position.epoch == offer.epoch:
            offer.apply(published)
        for event in batch.events:
            entry = offer.events.get(event.id)
            if entry is not None:
                self._add_event(entry.record, None)
        for change in batch.markets:
            record = offer.market(change.id)
            self._add_market("change", record, change, None)
            results = {key: each.result for key, each in change.selections.items() if each.result is not None}
            if results:
                self._add_results(change.id, record, {**_results_of(record), **results}, None)
        for removal in batch.removals:
            key = (_EVENT if removal.kind == "event" else _MARKET) + removal.id
            if removal.kind == "event":
                for market in sorted(self._published.get(removal.id, set()) - {key}):
                    self._remove(market, subject_of_gone(market[2:], removal.sport, removal.competition))
            if self._is_published(key):
                self._remove(key, subjects[removal.id])

    def _is_published(self, key: str) -> bool:
        return key in self._published.get(_event_of(key), ())

    def _subject_of(self, removal: Removal) -> Subject:
        if removal.kind == "event":
            return Subject(removal.sport, removal.competition, removal.event)
        record = self._offer.markets.get(MarketId(removal.id))
        if record is None:
            return subject_of_gone(removal.id, removal.sport, removal.competition)
        return Subject(removal.sport, removal.competition, removal.event, record.identity.type)

    def _add_event(self, record: EventRecord, gap: Gap | None) -> None:
        state = encoders.event_change(EventChange(record.id, record.description, record.progress))
        description = record.description
        subject = Subject(description.sport, description.competition.id, record.id)
        self._add("events", "event", record.id, subject, state=msgspec.Raw(state), gap=gap)
        self._note(_EVENT + record.id)

    def _add_market(self, kind: Kind, record: MarketRecord | None, change: MarketChange | None, gap: Gap | None) -> None:
        market = record.id if record is not None else change.id if change is not None else ""
        subject = self._market_subject(market, record)
        self._add(
            "changes",
            kind,
            market,
            subject,
            market=market,
            profile=self._profile,
            change=None if change is None else msgspec.Raw(encoders.market_change(change, self._index_of(change), self._format)),
            state=None if record is None else msgspec.Raw(encoders.market(record, self._index, self._format)),
            gap=gap,
        )
        self._note(_MARKET + market)

    def _market_subject(self, market: str, record: MarketRecord | None) -> Subject:
        event = EventId(market.partition("/")[0]) if record is None else record.identity.event
        entry = self._offer.events.get(event)
        gone = subject_of_gone(market)
        market_type = gone.market_type if record is None else record.identity.type
        if entry is None:
            return Subject(event=event, market_type=market_type)
        description = entry.record.description
        return Subject(description.sport, description.competition.id, event, market_type)

    def _add_results(
        self, market: str, record: MarketRecord | None, results: Mapping[str, SelectionResult], gap: Gap | None
    ) -> None:
        selections = {
            key: {"result": each.outcome, "void_factor": each.void_factor, "dead_heat_factor": each.dead_heat_factor}
            for key, each in results.items()
        }
        subject = self._market_subject(market, record)
        self._add("results", "result", market, subject, market=market, selections=msgspec.Raw(encode(selections)), gap=gap)

    def _remove(self, key: str, subject: Subject) -> None:
        name = key[2:]
        self._add(_TOPICS[key[:2]], "removed", name, subject, market=name if key.startswith(_MARKET) else None)
        event = _event_of(key)
        keys = self._published.get(event, set())
        keys.discard(key)
        if not keys:
            self._published.pop(event, None)
        self._added.discard(key)
        self._gone.add(key)

    def _note(self, key: str) -> None:
        keys = self._published.setdefault(_event_of(key), set())
        if key not in keys:
            keys.add(key)
            self._added.add(key)
        self._gone.discard(key)

    def _add(self, topic: Topic, kind: Kind, key: str, subject: Subject, **fields: Any) -> None:
        epoch, seq = self._position
        index = len(self._messages) - self._before
        message_id = f"{self._shard}-{epoch}-{seq}-{index}"
        body = Body(
            id=message_id,
            kind=kind,
            shard=self._shard,
            epoch=epoch,
            seq=seq,
            index=index,
            ts=self._ts_ms,
            sport=subject.sport or None,
            competition=subject.competition or None,
            event=subject.event or None,
            **fields,
        )
        self._messages.append(Message(topic, kind, key, message_id, subject, encode(body)))

    def _taken(self) -> Encoded:
        taken = Encoded(self._messages, self._added, self._gone)
        self._messages, self._added, self._gone = [], set(), set()
        self._before = 0
        return taken


def _event_of(key: str) -> str:
    """Return the event of a key: what a market's id begins with."""
    return key[2:].partition("/")[0]


def _results_of(record: MarketRecord | None) -> dict[str, SelectionResult]:
    if record is None:
        return {}
    return {key: each.result for key, each in record.selections.items() if each.result is not None}
