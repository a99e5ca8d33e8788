"""The table of leases in a real Redis agrees with the model of it in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.streams.leases.table import LeaseTable
from oddsengine.streams.leases.values import Entry, Member, Operation, encode
from tests.support.streams.lease_table import MemoryTable

if TYPE_CHECKING:
    from redis.asyncio import Redis

OWNED, HANDED_OVER = encode(Entry("a")), encode(Entry("b"))


async def test_the_table_agrees_with_its_model(redis: Redis) -> None:
    """A renewal that comes late, operations that do not fit, one that leaves, a member that others remove."""
    table, model = LeaseTable(redis, "odds", "shards"), MemoryTable()
    first, second, other = encode(Member(1)), encode(Member(2, rank=1)), encode(Member(7, items=("0",)))
    for member, value, operations in (
        ("a", first, [Operation("0", b"", OWNED), Operation("1", b"?", OWNED)]),
        ("a", second, []),
        ("a", first, [Operation("0", OWNED, b"")]),
        ("b", other, [Operation("0", OWNED, HANDED_OVER, "a", first), Operation("1", b"", HANDED_OVER, "a", second)]),
        ("b", other, [Operation("", b"", b"", "a", second)]),
        ("b", b"", [Operation("1", HANDED_OVER, b"")]),
    ):
        assert model.write(member, value, operations) == await table.write(member, value, operations)
    assert ({}, {"0": OWNED}) == (model.members, model.entries)
