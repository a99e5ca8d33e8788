"""The first tables of the history. docs/history.md describes them.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None

_TABLES: Final = (
    """CREATE TABLE installation (
        namespace text NOT NULL,
        shards int NOT NULL,
        created_ms bigint NOT NULL,
        is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only)
    )""",
    """CREATE TABLE positions (
        stream text PRIMARY KEY,
        epoch bigint NOT NULL,
        seq bigint NOT NULL,
        digest bytea NOT NULL,
        at_ms bigint NOT NULL,
        number bigint NOT NULL,
        record_digest bytea NOT NULL
    )""",
    """CREATE TABLE dropped (
        shard smallint NOT NULL,
        day int NOT NULL,
        before_epoch bigint NOT NULL,
        before_seq bigint NOT NULL,
        before_number bigint,
        epoch bigint NOT NULL,
        seq bigint NOT NULL,
        digest bytea NOT NULL,
        number bigint,
        record_digest bytea,
        PRIMARY KEY (shard, day)
    )""",
    """CREATE TABLE entries (
        at_ms bigint NOT NULL,
        epoch bigint NOT NULL,
        seq bigint NOT NULL,
        follows_epoch bigint,
        follows_seq bigint,
        shard smallint NOT NULL,
        changes int NOT NULL,
        follows_digest bytea,
        digest bytea NOT NULL,
        head bytea NOT NULL,
        tail bytea NOT NULL,
        PRIMARY KEY (shard, epoch, seq, at_ms)
    ) PARTITION BY RANGE (at_ms)""",
    "CREATE INDEX entries_by_time ON entries (shard, at_ms)",
    """CREATE TABLE changes (
        at_ms bigint NOT NULL,
        key bigint NOT NULL,
        epoch bigint NOT NULL,
        seq bigint NOT NULL,
        ordinal int NOT NULL,
        shard smallint NOT NULL,
        change bytea NOT NULL
    ) PARTITION BY RANGE (at_ms)""",
    "CREATE INDEX changes_by_key ON changes (key, at_ms)",
    "CREATE INDEX changes_by_time ON changes USING brin (at_ms)",
    """CREATE TABLE records (
        at_ms bigint NOT NULL,
        key bigint NOT NULL,
        number bigint NOT NULL,
        epoch bigint NOT NULL,
        seq bigint NOT NULL,
        shard smallint NOT NULL,
        kind smallint NOT NULL,
        digest bytea NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (shard, number, at_ms)
    ) PARTITION BY RANGE (at_ms)""",
    "CREATE INDEX records_by_key ON records (key, kind, at_ms)",
    "CREATE INDEX records_by_time ON records USING brin (at_ms)",
    """CREATE TABLE gaps (
        shard smallint NOT NULL,
        after_epoch bigint NOT NULL,
        after_seq bigint NOT NULL,
        after_ms bigint NOT NULL,
        until_epoch bigint NOT NULL,
        until_seq bigint NOT NULL,
        until_ms bigint NOT NULL,
        until_digest bytea NOT NULL,
        known_ms bigint,
        number bigint NOT NULL,
        reason text NOT NULL,
        PRIMARY KEY (shard, until_epoch, until_seq)
    )""",
    """CREATE TABLE commands (
        seq bigint PRIMARY KEY,
        at_ms bigint NOT NULL,
        id text,
        action text,
        author text,
        confirmed_by text,
        lifted_by text,
        salt bytea NOT NULL,
        digest bytea NOT NULL,
        sealed bytea NOT NULL
    )""",
    "CREATE INDEX commands_by_time ON commands (at_ms)",
    "CREATE INDEX commands_by_author ON commands (author, at_ms)",
    """CREATE TABLE checkpoints (
        number bigint PRIMARY KEY,
        at_ms bigint NOT NULL,
        key_id text NOT NULL,
        body bytea NOT NULL,
        signature bytea NOT NULL
    )""",
    """CREATE TABLE holds (
        event text PRIMARY KEY,
        at_ms bigint NOT NULL,
        reason text NOT NULL
    )""",
)
_NAMES: Final = (
    *("holds", "checkpoints", "commands", "gaps", "records", "changes", "entries"),
    *("dropped", "positions", "installation"),
)


def upgrade() -> None:
    """Create the tables."""
    for statement in _TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Drop them, with everything in them."""
    for name in _NAMES:
        op.execute(f"DROP TABLE {name}")
