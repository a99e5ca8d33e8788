"""All Redis keys. The keys of a shard share a hash tag, so that they are on one node of a Redis Cluster."""

from __future__ import annotations

from typing import Final, NamedTuple

#: The only field of a stream entry: the batch as MessagePack.
BATCH_FIELD: Final = b"b"


class ShardKeys(NamedTuple):
    """The keys of one shard."""

    changes: str
    snapshot: str

    def result(self, market: str) -> str:
        """Return the key of a market that has left the offer with its results; it expires."""
        return f"{self.changes.removesuffix(':changes')}:result:{market}"


def shard_keys(namespace: str, shard: int) -> ShardKeys:
    """Return the keys of a shard. `namespace` separates installations that share a Redis."""
    tag = f"{{{namespace}:{shard}}}"
    return ShardKeys(f"{tag}:changes", f"{tag}:snapshot")


def sessions_key(namespace: str, subject: str) -> str:
    """Return the key of the sorted set that holds the sessions of one client."""
    return f"{namespace}:sessions:{subject}"
