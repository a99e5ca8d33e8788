"""Fills a history with synthetic changes, through the rows and the writing of an archiver."""

from __future__ import annotations

import random
import secrets
import time
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oddsengine.domain.changes import MarketIdentity, MarketState
from oddsengine.domain.ids import EventId, MarketId, shard_of
from oddsengine.domain.market_types import MARKET_TYPES
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection
from oddsengine.history.archive.writer import write_batches
from oddsengine.history.rows.command_rows import CommandRows
from oddsengine.history.rows.note_rows import NoteRows
from oddsengine.history.schema.partitions import DAY_MS, day_of, make_days
from oddsengine.streams.chain.links import digest_of
from oddsengine.streams.chain.sealing import SALT_BYTES, seal
from oddsengine.streams.notes.log import Explanation
from oddsengine.streams.notes.raw_note import RawNote
from oddsengine.streams.positions import Position
from tests.support.builders import a_command, an_event
from tests.support.history.synthetic import SyntheticShard

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.history.rows.shard_rows import ShardBatch
    from oddsengine.streams.chain.entries import TailEntry

SHARDS: Final = 4
PROFILES: Final = ("retail", "vip", "sharp")
FIRST_MS: Final = 20_000 * DAY_MS
_EVENTS: Final = 2_000
_TYPES: Final = list(MARKET_TYPES)[:5]
_SELECTIONS: Final = ("home", "draw", "away")
#: Changes of a day of each shard.
_CHANGES_PER_DAY: Final = 250_000
#: Entries written together, of all shards.
_WRITTEN_AT_ONCE: Final = 1_000
#: Changes for each note and each command.
_PER_NOTE: Final = 200
_PER_COMMAND: Final = 500
_encode: Final = msgspec.msgpack.Encoder().encode


class Filled:
    """The filled history, and how long the archiving of it took, without making it."""

    def __init__(self) -> None:
        self.markets: list[MarketId] = []
        self.changes = 0
        self.seconds = 0.0
        self.last_ms = FIRST_MS


class Filler:
    """Publishes changes of markets, most of them of a few markets, and archives them.

    Args:
        connection: a connection to a database with the tables of the history.
        explanation: returns what an engine would note of a market at a version.
        per_entry: how many changes an entry has.
        seed: of what is chosen by chance.
    """

    def __init__(
        self, connection: Any, explanation: Callable[[MarketId, int], dict[str, Any]], per_entry: int = 20, seed: int = 22
    ) -> None:
        self._per_entry = per_entry
        self._step_ms = DAY_MS * per_entry // _CHANGES_PER_DAY
        self._connection = connection
        self._explanation = explanation
        self._chance = random.Random(seed)  # noqa: S311 - no secret depends on it
        self._shards = [SyntheticShard(shard, PROFILES, FIRST_MS) for shard in range(SHARDS)]
        self._of_shard: list[list[MarketId]] = [[] for _ in range(SHARDS)]
        self._weights: list[list[float]] = []
        self._notes = NoteRows()
        self._commands = CommandRows()
        self._command_digest = b""
        self._noted = 0
        self.filled = Filled()

    async def fill(self, changes: int, until_s: float) -> Filled:
        """Fill until there are so many changes, or until a time of the monotonic clock."""
        filled = self.filled
        now_ms = FIRST_MS
        self._offer_events()
        await self._archive([(shard, shard.publish(now_ms)) for shard in self._shards], now_ms)
        while filled.changes < changes and time.monotonic() < until_s:
            entries: list[tuple[SyntheticShard, TailEntry | None]] = []
            while len(entries) < _WRITTEN_AT_ONCE and filled.changes + len(entries) * self._per_entry < changes:
                now_ms += self._step_ms
                for number, shard in enumerate(self._shards):
                    self._move(number, shard)
                    entries.append((shard, shard.publish(now_ms)))
            filled.last_ms = now_ms
            await self._archive(entries, now_ms)
        return filled

    def _offer_events(self) -> None:
        state = MarketState("open", None, in_play=False)
        for number in range(_EVENTS):
            event = EventId(f"bench.{number}")
            shard = self._shards[shard_of(event, SHARDS)]
            shard.offer.stage_event(an_event(event, competition=f"c{number % 50}"))
            for type_ in _TYPES:
                market = MarketId(f"{event}/{type_}")
                identity = MarketIdentity(event, type_, "ft", None, 1, type_)
                selections = {key: OfferedSelection(key, "active", self._prices()) for key in _SELECTIONS}
                shard.offer.stage_market(OfferedMarket(market, identity, state, selections))
                self._of_shard[shard_of(event, SHARDS)].append(market)
                self.filled.markets.append(market)
        for markets in self._of_shard:
            self._chance.shuffle(markets)
            self._weights.append(list(accumulate(1 / rank for rank in range(1, len(markets) + 1))))

    def _prices(self) -> tuple[int | None, ...]:
        price = self._chance.randrange(1100, 20_000, 10)
        return (price, price + 20, price + 50)

    def _move(self, number: int, shard: SyntheticShard) -> None:
        for market in self._chance.choices(self._of_shard[number], cum_weights=self._weights[number], k=self._per_entry):
            changes = [(key, self._prices(), self._chance.randrange(1_000_000)) for key in _SELECTIONS]
            shard.offer.stage_prices(market, changes)

    async def _archive(self, entries: list[tuple[SyntheticShard, TailEntry | None]], now_ms: int) -> None:
        self._note(len(entries) * self._per_entry, now_ms)
        began_s = time.monotonic()
        for shard, entry in entries:
            if entry is not None:
                shard.rows.add(entry)
        taken: list[ShardBatch | None] = [*(shard.rows.take() for shard in self._shards), self._notes.take()]
        batches = [batch for batch in taken if batch is not None]
        times_ms = {row.at_ms for batch in batches for row in batch.entries}
        times_ms.update(row.at_ms for batch in batches for row in batch.records)
        await make_days(self._connection, set(map(day_of, times_ms)))
        await write_batches(self._connection, batches, self._commands.take())
        self.filled.seconds += time.monotonic() - began_s
        self.filled.changes += sum(len(batch.changes) for batch in batches)

    def _note(self, changes: int, now_ms: int) -> None:
        """Add what engines would note, and the commands that people would make, beside so many changes."""
        for _ in range(changes // _PER_NOTE):
            self._noted += 1
            market = self._chance.choice(self.filled.markets)
            record = self._shards[shard_of(EventId(market.partition("/")[0]), SHARDS)].offer.markets[market]
            body = _encode(Explanation(0, record.at, self._explanation(market, record.v)))
            fields = {b"k": b"explanation", b"n": market.encode(), b"t": b"%d" % now_ms, b"b": body}
            self._notes.add(RawNote(Position(now_ms, self._noted), fields))
        for _ in range(changes // _PER_COMMAND):
            seq, salt = self._commands.position.seq + 1, secrets.token_bytes(SALT_BYTES)
            command = a_command("suspend", key=f"c{seq}", at_ms=now_ms)
            self._command_digest = digest_of(self._command_digest, seal(command, salt))
            self._commands.add(seq, {b"c": _encode(command), b"s": salt, b"d": self._command_digest}, now_ms)
