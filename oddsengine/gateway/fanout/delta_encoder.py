"""Encode a batch of changes for every channel: each change once per profile, each message as a join of those fragments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.common import speedups
from oddsengine.gateway.protocol import chunking, encoders
from oddsengine.gateway.protocol.framing import text_head
from oddsengine.offer.entries.fragments import READY_FORMAT
from oddsengine.streams.positions import encode_at

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from oddsengine.common.speedups.interface import GatewayLoops
    from oddsengine.gateway.fanout.audience import Audience
    from oddsengine.gateway.fanout.audiences import Audiences
    from oddsengine.gateway.fanout.batches import DeltaBatch
    from oddsengine.gateway.fanout.counters import GatewayCounters
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.protocol.chunking import ChunkLimits
    from oddsengine.gateway.protocol.delivery import DeliveryOptions
    from oddsengine.gateway.state.replica import At
    from oddsengine.offer.replica_offer import ReplicaOffer


class _Fragments(NamedTuple):
    """The fragments of all markets in one form: ready ones of all, or those that are encoded so far."""

    ready: list[bytes] | None
    encoded: list[bytes | None]


class DeltaEncoder:
    """One batch of changes of a shard, by channel.

    Args:
        offer: the shard's offer, with the batch applied.
        batch: what changed.
        audiences: the subscribers; channels without any are not encoded.
        now: positions of a client that has the batch.
        before: positions of a client that does not.
        limits: when to split a message.
    """

    def __init__(
        self, offer: ReplicaOffer, batch: DeltaBatch, audiences: Audiences, now: At, before: At, limits: ChunkLimits
    ) -> None:
        self._audiences = audiences
        self._by_channel = wanted = audiences.by_channel
        changes = batch.changes
        self._offer = offer
        self._changes = changes
        self._ts_ms = batch.ts_ms
        self._now = now
        self._before = before
        self._limits = limits
        #: (shards, encoding) -> the position and the stamp of the messages of channels that draw from these shards
        self._stamps: dict[tuple[tuple[int, ...], encoders.Encoding], tuple[str, bytes]] = {}
        #: shards -> what is between the head of a delta in JSON, of prices only, and its markets
        self._json_stamps: dict[tuple[int, ...], bytes] = {}
        #: the options of the last short delta, and the ready fragments for them
        self._options: DeliveryOptions | None = None
        self._ready: list[bytes] | None = None
        #: channel -> indexes into changes.events, .markets (those under changes.urgent are urgent) and .removals
        self._events: dict[str, list[int]] = {}
        self._found: dict[str, Sequence[int]] | None = None
        self._removals: dict[str, list[int]] = {}
        #: the fragments of changes.events and .markets encoded so far
        self._encoded_events: dict[encoders.Encoding, list[bytes | None]] = {}
        self._encoded_markets: dict[tuple[str | None, str, encoders.Encoding], _Fragments] = {}
        events = offer.events
        for index, event in enumerate(changes.events):
            entry = events.get(event.id)
            if entry is not None:
                _add(self._events, wanted, [*entry.channels, *(f"market:{market}" for market in entry.markets)], index)
        for index, removal in enumerate(changes.removals):
            channels = [f"event:{removal.event}", f"sport:{removal.sport}", f"competition:{removal.competition}"]
            if removal.kind == "market":
                channels.append(f"market:{removal.id}")
            _add(self._removals, wanted, channels, index)

    @property
    def _markets(self) -> dict[str, Sequence[int]]:
        if self._found is None:
            self._found = self._find_markets(self._audiences)
        return self._found

    def _find_markets(self, audiences: Audiences) -> dict[str, Sequence[int]]:
        """Find the channels of the changed markets."""
        wanted, events = self._by_channel, self._offer.events
        markets: dict[str, Sequence[int]] = {}
        has_wide, market_channels = audiences.wide_channels, audiences.market_channels
        start = 0
        for event_id, count in self._changes.runs:
            entry = events.get(event_id)
            end = start + count
            if entry is not None and count > 0:
                if not has_wide and (channel := entry.channels[0]) not in markets:
                    # Written out: nearly always.
                    if channel in wanted:
                        markets[channel] = range(start, end)
                else:
                    for channel in entry.channels:
                        if channel in wanted:
                            known = markets.get(channel, ())
                            if isinstance(known, list):
                                known += range(start, end)
                            else:
                                markets[channel] = [*known, *range(start, end)]
                if market_channels:
                    for index in range(start, end):
                        if (channel := f"market:{self._changes.markets[index]}") in wanted:
                            markets[channel] = range(index, index + 1)
            start = end
        return markets

    def frames(self, counters: GatewayCounters, now_s: float) -> list[tuple[Audience[Session], bytes]]:
        """Frame what each audience is sent: audiences with an interval only the suspensions.

        Args:
            counters: count what is sent.
            now_s: monotonic seconds.
        """
        loops = speedups.gateway_loops
        due = None if loops is None else self._frames_in_c(loops, counters, now_s)
        return self._frames_in_python(self.channels(), counters, now_s) if due is None else due

    def _frames_in_c(
        self, loops: GatewayLoops, counters: GatewayCounters, now_s: float
    ) -> list[tuple[Audience[Session], bytes]] | None:
        changes, audiences = self._changes, self._audiences
        full = self._events.keys() | self._removals.keys()
        found: dict[str, Sequence[int]] = {}

        def special(name: str, audience: Audience[Session], indexes: Sequence[int]) -> bytes | None:
            found[name] = indexes
            return self._frame(audience, counters)

        self._found = found
        framed = loops.frames(
            changes.runs,
            len(changes.markets),
            changes.markets if audiences.market_channels else None,
            self._offer.events,
            self._by_channel,
            audiences.wide_channels > 0,
            full,
            self._limits.min_fragments,
            self._fragments_of,
            self._json_stamps,
            self._json_stamp,
            special,
            now_s,
        )
        if framed is None:
            self._found = None
            return None
        due, deltas, frames, sent_bytes = framed
        counters.deltas += deltas
        counters.frames += frames
        counters.bytes += sent_bytes
        return due + self._frames_in_python(full - found.keys(), counters, now_s) if full else due

    def _frames_in_python(
        self, names: Iterable[str], counters: GatewayCounters, now_s: float
    ) -> list[tuple[Audience[Session], bytes]]:
        due: list[tuple[Audience[Session], bytes]] = []
        deltas = frames = sent_bytes = 0
        for name in names:
            indexes = self._markets.get(name, ())
            count = len(indexes)
            is_short = count < self._limits.min_fragments and name not in self._events and name not in self._removals
            for audience in self._by_channel[name].values():
                members = len(audience.members)
                if is_short and audience.is_plain:
                    framed = self._short(audience, indexes)
                    deltas += count * members
                else:
                    other = self._frame(audience, counters)
                    if other is None:
                        continue
                    framed = other
                due.append((audience, framed))
                audience.last_sent_s = now_s
                frames += members
                sent_bytes += len(framed) * members
        counters.deltas += deltas
        counters.frames += frames
        counters.bytes += sent_bytes
        return due

    def _frame(self, audience: Audience[Session], counters: GatewayCounters) -> bytes | None:
        """Frame what an audience is sent, of whatever kind; None if nothing."""
        if audience.options.interval_ms:
            return self.suspensions(audience)
        counters.deltas += self.market_count(audience.channel.name) * len(audience.members)
        return self.delta(audience)

    def _fragments_of(self, options: DeliveryOptions) -> Sequence[bytes | None]:
        encoded = self._encoded(options)
        return encoded.encoded if encoded.ready is None else encoded.ready

    def _json_stamp(self, shards: tuple[int, ...]) -> bytes:
        stamp = self._json_stamps[shards] = encoders.markets_head(self._stamp(shards, encoders.JSON)[1])
        return stamp

    def _short(self, audience: Audience[Session], indexes: range | Sequence[int]) -> bytes:
        """Frame a delta of some markets as `delta` does, in a third of its time: many small audiences cost a gateway most."""
        shards, options, head = audience.channel.shards, audience.options, audience.head
        stamp = self._json_stamps.get(shards) or self._json_stamp(shards)
        if options is not self._options:
            # All audiences with the same options have the same object (`Audiences.get`).
            self._options, self._ready = options, self._encoded(options).ready
        ready = self._ready
        if ready is None or type(indexes) is not range:
            body = b",".join(self._markets_of(options, indexes))
        elif len(indexes) == 1:
            body = ready[indexes.start]
        else:
            body = b",".join(ready[indexes.start : indexes.stop])
        return b"".join((text_head(len(head) + len(stamp) + len(body) + 2), head, stamp, body, encoders.MARKETS_TAIL))

    def channels(self) -> Iterable[str]:
        """Return the channels in which something changed."""
        if self._events or self._removals:
            return [*self._markets, *((self._events.keys() | self._removals.keys()) - self._markets.keys())]
        return self._markets.keys()

    def delta(self, audience: Audience[Session]) -> bytes:
        """Frame everything that changed in an audience's channel."""
        channel, options = audience.channel, audience.options
        encoding = options.encoding
        at, stamp = self._stamp(channel.shards, encoding)
        markets = self._markets_of(options, self._markets.get(channel.name, ()))
        events: list[bytes] = []
        if self._events or self._removals:
            events += [self._event(index, encoding) for index in self._events.get(channel.name, ())]
            for index in self._removals.get(channel.name, ()):
                removal = self._changes.removals[index]
                (markets if removal.kind == "market" else events).append(encoders.removal(removal, encoding))
        if not chunking.needs_chunks(events, markets, self._limits):
            return options.framing.wrap(encoders.delta(audience.head, stamp, events, markets, encoding), at)
        before = encode_at({shard: self._before[shard] for shard in channel.shards})
        content = chunking.Content(events, markets)
        return b"".join(chunking.delta_frames(audience.head, content, at, before, self._ts_ms, options, self._limits))

    def _stamp(self, shards: tuple[int, ...], encoding: encoders.Encoding) -> tuple[str, bytes]:
        stamped = self._stamps.get((shards, encoding))
        if stamped is None:
            at = encode_at({shard: self._now[shard] for shard in shards})
            stamped = self._stamps[shards, encoding] = at, encoders.delta_stamp(at, self._ts_ms, encoding)
        return stamped

    def suspensions(self, audience: Audience[Session]) -> bytes | None:
        """Frame only the markets that stopped taking bets; None if there are none. The audience keeps its position."""
        indexes = [index for index in self._markets.get(audience.channel.name, ()) if index < self._changes.urgent]
        if not indexes:
            return None
        at, options = encode_at(audience.at), audience.options
        content = chunking.Content([], self._markets_of(options, indexes))
        return b"".join(chunking.delta_frames(audience.head, content, at, at, self._ts_ms, options, self._limits))

    def market_count(self, channel: str) -> int:
        """Return the number of market changes in a channel's message."""
        return len(self._markets.get(channel, ()))

    def _markets_of(self, options: DeliveryOptions, indexes: Iterable[int]) -> list[bytes]:
        encoded = self._encoded(options)
        ready = encoded.ready
        if ready is not None:
            if type(indexes) is range:
                return ready[indexes.start : indexes.stop]
            return list(map(ready.__getitem__, indexes))
        fragments: list[bytes] = []
        for index in indexes:
            fragment = encoded.encoded[index]
            if fragment is None:
                place = self._offer.profile_index(options.profile)
                change = self._changes.change(index)
                fragment = encoded.encoded[index] = encoders.market_change(change, place, options.odds_format, options.encoding)
            fragments.append(fragment)
        return fragments

    def _encoded(self, options: DeliveryOptions) -> _Fragments:
        key = options.profile, options.odds_format, options.encoding
        encoded = self._encoded_markets.get(key)
        if encoded is None:
            place = self._offer.profile_index(options.profile)
            if place is None or options.odds_format != READY_FORMAT or options.encoding is not encoders.JSON:
                encoded = _Fragments(None, [None] * len(self._changes.markets))
            else:
                encoded = _Fragments(*self._changes.ready(place))
            self._encoded_markets[key] = encoded
        return encoded

    def _event(self, index: int, encoding: encoders.Encoding) -> bytes:
        encoded = self._encoded_events.get(encoding)
        if encoded is None:
            encoded = self._encoded_events[encoding] = [None] * len(self._changes.events)
        fragment = encoded[index]
        if fragment is None:
            fragment = encoded[index] = encoders.event_change(self._changes.events[index], encoding)
        return fragment


def _add(table: dict[str, list[int]], wanted: Container[str], channels: Iterable[str], index: int) -> None:
    for channel in channels:
        if channel in wanted:
            table.setdefault(channel, []).append(index)
