"""What is decided of events, in a real Redis: written only on top of everything that was decided before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.identities import Decisions, Identity, Placement, PossibleMatch
from oddsengine.streams.identities.log import IdentityLog
from oddsengine.streams.identities.progress import LogEntry, Write
from oddsengine.streams.positions import ORIGIN, Position
from tests.support.feeds import a_match

if TYPE_CHECKING:
    from redis.asyncio import Redis

ONE, OTHER = EventId("b.1"), EventId("p.9")
DECIDED = Decisions(
    {key: Identity(a_match(key), Placement(ONE, score=0.9, basis="names"), order, 5) for order, key in enumerate((ONE, OTHER))},
    {OTHER: PossibleMatch(ONE, 0.7, "starts 2 h apart")},
    obeyed=3,
)


async def test_decisions_are_written_on_top_of_all_before_them_only(redis: Redis) -> None:
    log = IdentityLog(redis, "odds")
    opening, first = Position(7, 0), Position(7, 1)
    assert await log.write(Write(ORIGIN, opening, Decisions(), ORIGIN))
    assert not await log.write(Write(ORIGIN, Position(9, 0), DECIDED, ORIGIN)), "it has not read the entry before"
    assert await log.write(Write(opening, first, DECIDED))
    assert not await log.write(Write(opening, first, DECIDED)), "the second time, as after a lost answer"
    assert not await log.write(Write(first, opening, DECIDED)), "positions grow"
    assert (first, DECIDED) == await log.load()
    assert (first, first) == (await log.last(), await log.last_of_log())
    assert [LogEntry(opening, Decisions(), ORIGIN), LogEntry(first, DECIDED)] == await log.read(ORIGIN)
    removed = Decisions({ONE: None, OTHER: None}, {OTHER: None})
    assert await log.write(Write(first, Position(7, 2), removed))
    assert Decisions(obeyed=3) == (await log.load()).decisions
    assert [LogEntry(Position(7, 2), removed)] == await log.read(first, 100)


async def test_what_is_lost_is_seen(redis: Redis) -> None:
    log = IdentityLog(redis, "odds")
    await log.write(Write(ORIGIN, Position(7, 0), DECIDED, ORIGIN))
    await redis.delete("{odds:identities}:table")
    assert (ORIGIN, Position(7, 0)) == (await log.last(), await log.last_of_log())
    assert not await log.write(Write(ORIGIN, Position(6, 0), DECIDED, ORIGIN)), "below the log"
    assert await log.write(Write(ORIGIN, Position(8, 0), DECIDED, ORIGIN, reloads=True))
    assert [LogEntry(Position(8, 0), None, ORIGIN)] == await log.read(Position(7, 0))
    await redis.delete("{odds:identities}:log")
    assert await log.write(Write(Position(8, 0), Position(8, 1), DECIDED)), "the table has everything"
    await redis.hset("{odds:identities}:table", "i:b.1", b"\xff")
    assert {OTHER} == (await log.load()).decisions.identities.keys()
