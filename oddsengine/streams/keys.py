"""All Redis keys. The keys of a shard share a hash tag, so that they are on one node of a Redis Cluster.

So do those of every sixteenth shard: a Cluster reads several keys with one command only if they have one hash tag, so followers
need as many connections as there are tags.
"""

from __future__ import annotations

from typing import Final, NamedTuple

#: The field of a stream entry that holds its batch, as MessagePack.
BATCH_FIELD: Final = b"b"
#: The field that holds its digest.
DIGEST_FIELD: Final = b"d"
#: The field of the first entry of an epoch that names the entry its digest follows.
FOLLOWS_FIELD: Final = b"f"
#: The field of a snapshot that says how many fields it has and of which position it is, as `<fields>@<epoch>-<seq>`.
WHOLE_FIELD: Final = b"whole"


#: More nodes than this are of no use in a Cluster.
MAX_TAGS: Final = 16
#: What keys are named, and what is in them. 1 was: a hash tag for each shard. 2 was: entries with changes only, and the snapshot
#: brought up to the stream with each of them.
LAYOUT: Final = 3
#: Since when keys have the same names.
NAMED_SINCE: Final = 2


class ShardKeys(NamedTuple):
    """The keys of one shard."""

    changes: str
    snapshot: str

    def result(self, market: str) -> str:
        """Return the key of a market that has left the offer with its results; it expires."""
        return f"{self._prefix}:result:{market}"

    @property
    def kept_results(self) -> str:
        """The key of the list of the results that are kept; it expires."""
        return f"{self._prefix}:kept_results"

    @property
    def lowest_epoch(self) -> str:
        """The key of the epoch that a follower has read, where the owner's is below it; it expires."""
        return f"{self._prefix}:lowest_epoch"

    def draft(self, owner: str) -> str:
        """Return the key under which an owner writes a snapshot before it opens an epoch; it expires."""
        return f"{self._prefix}:draft:{owner}"

    @property
    def _prefix(self) -> str:
        return self.changes.removesuffix(":changes")


def shard_keys(namespace: str, shard: int) -> ShardKeys:
    """Return the keys of a shard. `namespace` separates installations that share a Redis."""
    tag = f"{{{namespace}:{shard % MAX_TAGS}}}"
    prefix = tag if shard < MAX_TAGS else f"{tag}:{shard}"
    return ShardKeys(f"{prefix}:changes", f"{prefix}:snapshot")


def hash_tag(key: str) -> str:
    """Return the hash tag of a shard's key."""
    return key[: key.index("}") + 1]


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


class QuestionKeys(NamedTuple):
    """The keys of what gateways ask engines. They share the hash tag of the commands, so that both are read at once."""

    questions: str

    def answers(self, gateway: str) -> str:
        """Return the key of the list of answers to a gateway; it expires."""
        return f"{self.questions.removesuffix(':questions')}:answers:{gateway}"


def question_keys(namespace: str) -> QuestionKeys:
    """Return the keys of what gateways ask engines."""
    return QuestionKeys(f"{{{namespace}:commands}}:questions")


class IdentityKeys(NamedTuple):
    """The keys of what is decided of events: which of them are one, and under which id."""

    log: str
    table: str


def identity_keys(namespace: str) -> IdentityKeys:
    """Return the keys of the identities of events."""
    tag = f"{{{namespace}:identities}}"
    return IdentityKeys(f"{tag}:log", f"{tag}:table")


def installation_key(namespace: str) -> str:
    """Return the key of the hash with the number of shards, the layout of their keys, and the version of their engine."""
    return f"{namespace}:installation"


class LeaseKeys(NamedTuple):
    """The keys of a group whose members own items by lease."""

    members: str
    leases: str


def lease_keys(namespace: str, group: str) -> LeaseKeys:
    """Return the keys of the leases of a group: `shards`, `feeds`, `webhooks` or a bridge."""
    tag = f"{{{namespace}:{group}}}"
    return LeaseKeys(f"{tag}:members", f"{tag}:leases")


class IngestKeys(NamedTuple):
    """The keys of one feed."""

    stream: str
    wanted: str


def ingest_keys(namespace: str, feed: str) -> IngestKeys:
    """Return the keys of a feed's ingest stream, and of the number of the last snapshot of it that was asked for."""
    tag = f"{{{namespace}:feed:{feed}}}"
    return IngestKeys(f"{tag}:ingest", f"{tag}:wanted")


class WebhookKeys(NamedTuple):
    """The keys of the webhooks of an installation."""

    outbox: str
    state: str


def webhook_keys(namespace: str) -> WebhookKeys:
    """Return the keys of the outbox of webhooks, and of what was noted and delivered."""
    tag = f"{{{namespace}:webhooks}}"
    return WebhookKeys(f"{tag}:outbox", f"{tag}:state")


def floor_key(namespace: str) -> str:
    """Return the key of the hash with what engines and feeders report of feeds and doubtful pairs; it expires."""
    return f"{namespace}:floor"


class BridgeKeys(NamedTuple):
    """The keys of a bridge to a broker."""

    positions: str

    def published(self, shard: int) -> str:
        """Return the key of the set of what the broker has of a shard."""
        return f"{self.positions.removesuffix(':positions')}:published:{shard}"


def bridge_keys(namespace: str, bridge: str) -> BridgeKeys:
    """Return the keys of a bridge: `kafka` or `rabbitmq`."""
    return BridgeKeys(f"{{{namespace}:bridge:{bridge}}}:positions")


def sessions_key(namespace: str, subject: str) -> str:
    """Return the key of the sorted set that holds the sessions of one client."""
    return f"{namespace}:sessions:{subject}"


def ticket_key(namespace: str, digest: str) -> str:
    """Return the key of what a ticket grants, by the digest of the ticket; it expires."""
    return f"{namespace}:ticket:{digest}"


def notes_key(namespace: str) -> str:
    """Return the key of the stream of notes for the history."""
    return f"{{{namespace}:history}}:notes"
