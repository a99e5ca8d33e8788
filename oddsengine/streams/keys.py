"""Every Redis key the engine uses. A shard's keys share a hash tag, so that in a Cluster they live on one node."""

from __future__ import annotations

from typing import Final, NamedTuple

#: The stream entry's one field: the MessagePack batch.
BATCH_FIELD: Final = b"b"


class ShardKeys(NamedTuple):
    """The keys of one shard."""

    changes: str
    snapshot: str


def shard_keys(namespace: str, shard: int) -> ShardKeys:
    """Name the keys of a shard; `namespace` keeps several installations in one Redis apart."""
    tag = f"{{{namespace}:{shard}}}"
    return ShardKeys(f"{tag}:changes", f"{tag}:snapshot")


def seats_key(namespace: str, subject: str) -> str:
    """Name the key under which the sessions of one client are counted."""
    return f"{namespace}:sessions:{subject}"
