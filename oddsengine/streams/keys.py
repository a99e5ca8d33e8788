"""All Redis keys. The keys of a shard share a hash tag, so that they are on one node of a Redis Cluster."""

from __future__ import annotations

from typing import Final, NamedTuple

#: The field of a stream entry that holds its batch, as MessagePack.
BATCH_FIELD: Final = b"b"
#: The field of a snapshot that says how many fields it has and of which position it is, as `<fields>@<epoch>-<seq>`.
WHOLE_FIELD: Final = b"whole"


class ShardKeys(NamedTuple):
    """The keys of one shard."""

    changes: str
    snapshot: str

    def result(self, market: str) -> str:
        """Return the key of a market that has left the offer with its results; it expires."""
        return f"{self._tag}:result:{market}"

    @property
    def kept_results(self) -> str:
        """The key of the list of the results that are kept; it expires."""
        return f"{self._tag}:kept_results"

    @property
    def lowest_epoch(self) -> str:
        """The key of the epoch that a follower has read, where the owner's is below it; it expires."""
        return f"{self._tag}:lowest_epoch"

    def staged(self, owner: str) -> str:
        """Return the key under which an owner stages a snapshot before it opens an epoch; it expires."""
        return f"{self._tag}:staged:{owner}"

    @property
    def _tag(self) -> str:
        return self.changes.removesuffix(":changes")


def shard_keys(namespace: str, shard: int) -> ShardKeys:
    """Return the keys of a shard. `namespace` separates installations that share a Redis."""
    tag = f"{{{namespace}:{shard}}}"
    return ShardKeys(f"{tag}:changes", f"{tag}:snapshot")


class CommandKeys(NamedTuple):
    """The keys of the commands of an installation."""

    log: str
    table: str

    def request(self, key: str) -> str:
        """Return the key that remembers a request; it expires."""
        return f"{self.log.removesuffix(':log')}:request:{key}"


def command_keys(namespace: str) -> CommandKeys:
    """Return the keys of the commands of an installation."""
    tag = f"{{{namespace}:commands}}"
    return CommandKeys(f"{tag}:log", f"{tag}:table")


def installation_key(namespace: str) -> str:
    """Return the key of the hash with the number of shards and the version of the engine that publishes them."""
    return f"{namespace}:installation"


class LeaseKeys(NamedTuple):
    """The keys of a group whose members own items by lease."""

    members: str
    leases: str


def lease_keys(namespace: str, group: str) -> LeaseKeys:
    """Return the keys of the leases of a group: `shards` or `feeds`."""
    tag = f"{{{namespace}:{group}}}"
    return LeaseKeys(f"{tag}:members", f"{tag}:leases")


def sessions_key(namespace: str, subject: str) -> str:
    """Return the key of the sorted set that holds the sessions of one client."""
    return f"{namespace}:sessions:{subject}"
