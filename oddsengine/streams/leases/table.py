"""The table of a group's leases in Redis: one call writes a member's value, changes entries and reads them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oddsengine.streams.keys import lease_keys
from oddsengine.streams.leases.values import Table
from oddsengine.streams.lua import load_script

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from redis.asyncio import Redis

    from oddsengine.streams.leases.values import Operation


class LeaseTable:
    """The table of a group.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        group: what is owned: `shards` or `feeds`.
    """

    def __init__(self, redis: Redis, namespace: str, group: str) -> None:
        self._keys = list(lease_keys(namespace, group))
        self._script = redis.register_script(load_script("lease"))

    async def write(self, member: str, value: bytes, operations: Iterable[Operation] = ()) -> Table:
        """Write a member's value, carry out operations in their order, and return the table as it is then.

        Args:
            member: the member.
            value: its value; empty: it leaves the group.
            operations: each is carried out if it still fits.

        Raises:
            RedisError, OSError: if Redis does not answer. Then it may have been carried out.
        """
        arguments: list[Any] = [member, value]
        for operation in operations:
            arguments += operation
        previous, members, entries = await self._script(keys=self._keys, args=arguments)
        return Table(_pairs(members), _pairs(entries), previous)


def _pairs(flat: Sequence[bytes]) -> dict[str, bytes]:
    return {flat[index].decode(errors="replace"): flat[index + 1] for index in range(0, len(flat), 2)}
