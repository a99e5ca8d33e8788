"""The past of a market: what it was at a time, and how it changed, as the subscribers of a profile saw it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from oddsengine.domain.changes import EventRecord, MarketRecord
from oddsengine.domain.ids import EventId, shard_of
from oddsengine.history.errors import Unavailable
from oddsengine.history.questions import statements
from oddsengine.history.questions.cursors import Place, after
from oddsengine.history.questions.sightings import CHANGE, Absence, Gap, Sighting, place_in
from oddsengine.history.questions.tracing import ChangeThen, Page, Since
from oddsengine.history.rows.shard_rows import DAY_MS
from oddsengine.history.rows.tables import key_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from oddsengine.history.questions.pool import HistoryPool

#: So many rows are looked at for one answer: a page ends before, and `since` is then not exact.
_SCANNED: Final = 2000
#: How far back it is looked since when a market was what it is.
_SINCE_DAYS: Final = 30
#: Between so many rows other tasks of the process have their turn.
_TURN: Final = 32
_decode_event: Final = msgspec.msgpack.Decoder(EventRecord).decode


class MarketThen(NamedTuple):
    """A market as it was at a time.

    Attributes:
        record: its whole state.
        price_index: where the prices of the profile are; None if there was no such profile.
        profiles: the profiles of then.
        at_ms: the time.
        entry: the last entry of its shard up to then.
        since_ms: since when it looked like this.
        is_since_exact: if not, it may have before.
    """

    record: MarketRecord
    price_index: int | None
    profiles: tuple[str, ...]
    at_ms: int
    shard: int
    entry: Place
    since_ms: int
    is_since_exact: bool


class ChangesThen(NamedTuple):
    """A page of changes.

    Attributes:
        before: the market before the first of them, and where its prices are; None if it was not on offer or is not known.
        changes: those that a subscriber of the profile saw.
        gaps: what is not known of the whole time.
        next: the place after which the next page begins; None if there is none.
        reaches_ms: how far the history reaches.
        profiles: the profiles that there were.
    """

    market: str
    shard: int
    before: tuple[MarketRecord, int | None] | None
    changes: list[ChangeThen]
    gaps: list[Gap]
    next: Place | None
    reaches_ms: int
    profiles: list[str]


class MarketQuestions:
    """Asks the history about markets.

    Args:
        pool: connections to it.
        published: returns the position that a shard has been published up to, as far as this process knows. Where all of that is
            archived, nothing has happened since.
    """

    def __init__(self, pool: HistoryPool, published: Callable[[int], tuple[int, int]]) -> None:
        self._pool = pool
        self._published = published

    async def at(self, market: str, at_ms: int | None, profile: str | None, *, with_fair: bool = False) -> MarketThen | Absence:
        """Return a market as it was at a time, or why that can't be said.

        Args:
            market: its id.
            at_ms: Unix milliseconds; None for as late as the history reaches.
            profile: the profile; None for the first.
            with_fair: whether fair probabilities are looked at too.

        Raises:
            Unavailable: if the history can't be asked.
        """
        async with self._pool.connection() as (connection, shards):
            shard = shard_of(EventId(market.partition("/")[0]), shards)
            moment = await self._moment(connection, shard, at_ms)
            if isinstance(moment, Absence):
                return moment
            at_ms, entry, gaps = moment
            key, day_ms = key_of(market), entry.at_ms // DAY_MS * DAY_MS
            profiles = await statements.load_profiles(connection, shard, day_ms, entry.at_ms)
            rows = statements.sightings(connection, market, key, after(at_ms), (day_ms, at_ms), back=True)
            async with aclosing(rows):
                found = await anext(rows, None)
                if found is None:
                    return await self._absence(connection, market, key, at_ms)
                if found.record is None:
                    return Absence("left", found.place.at_ms)
                since = Since(found, profiles, profile, gaps, with_fair=with_fair)
                await _go_back(since, rows)
            first_ms = max(0, day_ms - _SINCE_DAYS * DAY_MS)
            # What was on offer before the day begins with a whole state.
            is_older = not since.is_ended and since.earliest.kind != CHANGE
            if is_older and not await statements.is_dropped(connection, shard, first_ms, day_ms):
                since.profiles = await statements.load_profiles(connection, shard, first_ms, entry.at_ms)
                limits = (first_ms, since.earliest.place.at_ms)
                rows = statements.sightings(connection, market, key, since.earliest.place, limits, back=True)
                async with aclosing(rows):
                    await _go_back(since, rows)
            since.end()
            names = profiles.of((entry.epoch, entry.seq))
            began_ms = since.earliest.place.at_ms
            return MarketThen(found.record, place_in(names, profile), names, at_ms, shard, entry, began_ms, since.is_exact)

    async def _moment(self, connection: Any, shard: int, at_ms: int | None) -> tuple[int, Place, list[Gap]] | Absence:
        """Return a time, the last entry up to then, and the gaps of the shard; or why nothing is known of that time."""
        moment = await statements.find_moment(connection, shard, at_ms)
        if moment is None:
            raise Unavailable("nothing of this shard was archived yet")
        reached, entry, is_dropped = moment
        if at_ms is None:
            at_ms = reached.at_ms
        elif at_ms >= reached.at_ms and self._published(shard) > (reached.epoch, reached.seq):
            return Absence("ahead", reached.at_ms)
        if is_dropped:
            return Absence("dropped")
        if entry is None:
            return Absence("before", await statements.first_entry_ms(connection, shard))
        gaps = await statements.load_gaps(connection, shard)
        gap = next((each for each in gaps if each.has(at_ms)), None)
        if gap is not None:
            return Absence("gap", gap.after_ms, gap.known_ms, gap.reason)
        return at_ms, entry, gaps

    @staticmethod
    async def _absence(connection: Any, market: str, key: int, at_ms: int) -> Absence:
        """Return why there is no row of a market on the day of a time."""
        async with aclosing(statements.sightings(connection, market, key, after(at_ms), (0, at_ms), back=True)) as rows:
            async for found in rows:
                # What is on offer has a row on each day.
                return Absence("left", found.place.at_ms if found.record is None else None)
        async with aclosing(statements.sightings(connection, market, key, after(at_ms), (at_ms, 1 << 62))) as rows:
            async for found in rows:
                return Absence("later", found.place.at_ms)
        return Absence("never")

    async def changes(
        self,
        market: str,
        start: Place,
        to_ms: int | None,
        profile: str | None,
        limit: int,
        *,
        with_fair: bool = False,
    ) -> ChangesThen | Absence:
        """Return a page of how a market has changed.

        Args:
            market: its id.
            start: the place after which it begins.
            to_ms: the last time, Unix milliseconds; None for as late as the history reaches.
            profile: the profile; None for the first.
            limit: how many changes a page has at most.
            with_fair: whether changes of only fair probabilities count.

        Raises:
            Unavailable: if the history can't be asked.
        """
        async with self._pool.connection() as (connection, shards):
            shard = shard_of(EventId(market.partition("/")[0]), shards)
            moment = await statements.find_moment(connection, shard, start.at_ms)
            if moment is None:
                raise Unavailable("nothing of this shard was archived yet")
            reached, last, _ = moment
            to_ms = reached.at_ms if to_ms is None else min(to_ms, reached.at_ms)
            gaps = await statements.load_gaps(connection, shard)
            key = key_of(market)
            day_ms = 0 if last is None else last.at_ms // DAY_MS * DAY_MS
            profiles = await statements.load_profiles(connection, shard, day_ms, max(to_ms, day_ms))
            known: Sighting | None = None
            if last is not None and not any(gap.has(start.at_ms) for gap in gaps):
                # The row at the place itself counts: it was the last one of the page before.
                until = start._replace(number=start.number + 1)
                back = statements.sightings(connection, market, key, until, (day_ms, start.at_ms), back=True)
                async with aclosing(back):
                    known = await anext(back, None)
            page = Page(known, profiles, profile, gaps, with_fair=with_fair)
            following = await _fill(page, statements.sightings(connection, market, key, start, (start.at_ms, to_ms)), limit)
            begin_ms = start.at_ms
            concerned = [gap for gap in gaps if gap.after_ms <= to_ms and (gap.known_ms is None or gap.known_ms > begin_ms)]
            if known is None and not page.changes and not concerned and following is None:
                absence = await self._absence(connection, market, key, to_ms)
                if absence.why == "never":
                    return absence
            shown = None
            if known is not None and known.record is not None:
                shown = (known.record, place_in(profiles.of(known.position), profile))
            return ChangesThen(market, shard, shown, page.changes, concerned[:100], following, reached.at_ms, profiles.every)

    async def channels_of(self, market: str, at_ms: int) -> list[str]:
        """Return the channels that a market was in at a time.

        Raises:
            Unavailable: if the history can't be asked.
        """
        event = market.partition("/")[0]
        names = [f"market:{market}", f"event:{event}"]
        async with self._pool.connection() as (connection, _):
            body = await statements.event_record(connection, key_of(event), at_ms)
        if body is not None:
            record = _decode_event(body)
            if record.id == event:
                description = record.description
                names += [f"sport:{description.sport}", f"competition:{description.competition.id}"]
        return names


async def _go_back(since: Since, rows: AsyncIterable[Sighting]) -> None:
    async for earlier in rows:
        if since.ends_with(earlier):
            break


async def _fill(page: Page, sightings: AsyncGenerator[Sighting, None], limit: int) -> Place | None:
    """Add sightings to a page until it has enough changes. Return the place of the last one, None if there are no more."""
    async with aclosing(sightings):
        scanned = 0
        async for found in sightings:
            page.add(found)
            scanned += 1
            if len(page.changes) >= limit or scanned >= _SCANNED:
                return found.place
            if scanned % _TURN == 0:
                await asyncio.sleep(0)
    return None
