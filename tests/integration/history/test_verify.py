"""Whatever is done to a history in its database is found and named, also by somebody who computes the chains anew."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from oddsengine.common.settings.key_files import load_private_key, load_public_key
from oddsengine.domain.ids import EventId, shard_of
from oddsengine.history.archive.upkeep import write_checkpoint
from oddsengine.history.archive.writer import write_batches
from oddsengine.history.database import claim_installation
from oddsengine.history.rows.tables import RecordRow, record_digest
from oddsengine.history.schema.partitions import make_days
from oddsengine.history.verification.checkpoints import fingerprint, generate_key
from oddsengine.history.verification.verifier import EVER, Verifier
from oddsengine.streams.commands.log import CommandLog
from tests.support.builders import a_command, an_event, an_offer_of
from tests.support.history.archiving import NAMESPACE, archiving, until_archived
from tests.support.history.synthetic import EPOCH, SyntheticShard
from tests.support.streams.ends import Owner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from redis.asyncio import Redis

    from oddsengine.history.database import Database
    from oddsengine.streams.embedded import EmbeddedRedis

TABLES = ("entries", "changes", "records", "gaps", "commands", "positions", "checkpoints", "installation", "dropped")
RESTORE = [f"TRUNCATE {table}; INSERT INTO {table} SELECT * FROM saved_{table}" for table in TABLES]
#: The archiver is made to have ended where the entries end.
END = """UPDATE positions SET (epoch, seq, digest) =
    (SELECT epoch, seq, digest FROM entries ORDER BY epoch DESC, seq DESC LIMIT 1) WHERE stream = '0'"""


async def execute(database: Database, *statements: str) -> None:
    connection = await database.connect()
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def signed(database: Database, key: Ed25519PrivateKey) -> None:
    """Sign where the chains end, as an archiver does from time to time."""
    connection = await database.connect()
    try:
        await write_checkpoint(connection, key, 1)
    finally:
        await connection.close()


async def found(database: Database, keys: dict[str, Any] | None = None) -> list[str]:
    """Return what is wrong with a history, without times."""
    verified = await Verifier(database, keys or {}).run()
    return [f"{problem.chain}: {problem.row}: {problem.what}" for problem in verified.problems]


#: So many that the market is one of another shard.
MORE_SHARDS = next(shards for shards in range(2, 99) if shard_of(EventId("e1"), shards))
#: What is done in the database, and how what is found begins. Epochs are 1000000 and 2000000, with entries 0 to 9 and 0 to 3.
TAMPERED = {
    "a flipped byte of a price": (
        "UPDATE changes SET change = set_byte(change, 30, 255 - get_byte(change, 30)) WHERE seq = 5",
        "shard 0: entry 1000000-5: changed",
    ),
    "a flipped byte of the rest": ("UPDATE entries SET tail = '\\x00' WHERE seq = 4", "shard 0: entry 1000000-4: changed"),
    "a removed entry": ("DELETE FROM entries WHERE seq = 6", "shard 0: entry 1000000-7: removed: the entries between 1000000-5"),
    "a removed change": ("DELETE FROM changes WHERE seq = 3", "shard 0: entry 1000000-3: removed: its change 0 of 1"),
    "an added change": (
        "INSERT INTO changes SELECT at_ms, key, epoch, seq, 1, shard, change FROM changes WHERE seq = 3",
        "shard 0: entry 1000000-3: added: it has 1 changes, and there are 2",
    ),
    "a change of no entry": (
        "INSERT INTO changes SELECT at_ms, key, epoch, 99, 0, shard, change FROM changes WHERE seq = 3 AND epoch = 2000000",
        "shard 0: change 0 of entry 2000000-99: added: no entry consists of it",
    ),
    "a change of another market": (
        "UPDATE changes SET key = 5 WHERE seq = 3",
        "shard 0: entry 1000000-3: changed: its change 0",
    ),
    "an added entry": (
        "INSERT INTO entries SELECT at_ms, epoch, 10, NULL, NULL, shard, 0, NULL, digest, head, tail FROM entries WHERE seq = 9",
        "shard 0: entry 1000000-10: added: the next entry follows the one before it",
    ),
    "an added end": (
        """INSERT INTO entries SELECT at_ms, epoch, 4, NULL, NULL, shard, 0, NULL, sha256(digest), ''::bytea, ''::bytea
           FROM entries WHERE epoch = 2000000 AND seq = 3""",
        "shard 0: entry 2000000-4: added: the chain ends with 2000000-3",
    ),
    "a swapped pair": (
        """UPDATE entries SET seq = CASE seq WHEN 4 THEN 105 ELSE 104 END WHERE epoch = 1000000 AND seq IN (4, 5);
           UPDATE entries SET seq = seq - 100 WHERE seq > 100;
           UPDATE changes SET seq = CASE seq WHEN 4 THEN 5 ELSE 4 END WHERE epoch = 1000000 AND seq IN (4, 5)""",
        "shard 0: entry 1000000-4: swapped with 1000000-5",
    ),
    "a truncated tail": (
        "DELETE FROM entries WHERE epoch = 2000000 AND seq > 1; DELETE FROM changes WHERE epoch = 2000000 AND seq > 1",
        "shard 0: entry 2000000-3: removed: the end of the chain, after 2000000-1",
    ),
    "a truncated tail that the archiver is made to have ended with": (
        f"DELETE FROM entries WHERE epoch = 2000000 AND seq > 1; DELETE FROM changes WHERE epoch = 2000000 AND seq > 1; {END}",
        r"shard 0: entry 2000000-3: removed: checkpoint \d was signed after it",
    ),
    "a removed beginning": (
        "DELETE FROM entries WHERE epoch = 1000000 AND seq < 3; DELETE FROM changes WHERE epoch = 1000000 AND seq < 3",
        "shard 0: entry 1000000-3: removed: what it follows, and all before",
    ),
    "a changed record": ("UPDATE records SET body = body || '\\x00' WHERE number = 2", "records of shard 0: record 2: changed"),
    "a truncated end of the records": (
        """DELETE FROM records WHERE number = (SELECT max(number) FROM records); UPDATE positions SET (number, record_digest) =
           (SELECT number, digest FROM records ORDER BY number DESC LIMIT 1) WHERE stream = '0'""",
        r"records of shard 0: record \d+: removed: checkpoint \d was signed after it",
    ),
    "a removed record": ("DELETE FROM records WHERE number = 2", "records of shard 0: record 3: removed: what follows 1"),
    "a changed author": (
        "UPDATE commands SET author = 'bob' WHERE seq = 1",
        "commands: entry 1: changed: somebody in it",
    ),
    "a removed salt": ("UPDATE commands SET author = 'bob', salt = '' WHERE seq = 1", "commands: entry 1: changed: its salt"),
    "a changed command": ("UPDATE commands SET sealed = sealed || '\\x00' WHERE seq = 2", "commands: entry 2: changed"),
    "a removed command": ("DELETE FROM commands WHERE seq = 2", "commands: entry 2: removed: the end of the log, after 1"),
    "a removed command, said to be a gap": (
        "DELETE FROM commands WHERE seq = 1; INSERT INTO gaps VALUES (-1, 0, 0, 0, 0, 2, 1, '', 1, 0, 'trimmed')",
        "commands: entry 2: changed: the gap before it is not where",
    ),
    "a removed first command": (
        "DELETE FROM commands WHERE seq = 1; UPDATE positions SET number = 1 WHERE stream = 'commands'",
        r"commands: entry 2: removed or added: checkpoint \d was signed after 2 rows",
    ),
    "removed commands, which the archiver is made not to have": (
        "DELETE FROM commands; DELETE FROM positions WHERE stream = 'commands'",
        r"commands: entry 1: removed: checkpoint \d was signed after it",
    ),
    "a hidden command": (
        "UPDATE commands SET id = NULL, action = NULL, author = NULL WHERE seq = 1",
        "commands: entry 1: changed: its columns",
    ),
    "a command at another time": (
        "UPDATE commands SET at_ms = at_ms + 1 WHERE seq = 1",
        "commands: entry 1: changed: its columns",
    ),
    "a change at another time": (
        "UPDATE entries SET at_ms = at_ms + 1000 WHERE seq = 5; UPDATE changes SET at_ms = at_ms + 1000 WHERE seq = 5",
        "shard 0: entry 1000000-5: changed: its time",
    ),
    "a change hidden in the rest of its entry": (
        """UPDATE entries SET changes = 0, tail = (SELECT change FROM changes WHERE seq = 5) || tail WHERE seq = 5;
           DELETE FROM changes WHERE seq = 5""",
        "shard 0: entry 1000000-5: changed: its time, or where its changes begin and end",
    ),
    "an end of a change moved into the rest of its entry": (
        """UPDATE entries SET tail = '\\x03' || tail WHERE seq = 5;
           UPDATE entries SET tail = (SELECT substr(change, length(change)) FROM changes WHERE seq = 5) || substr(tail, 2)
               WHERE seq = 5;
           UPDATE changes SET change = substr(change, 1, length(change) - 1) WHERE seq = 5""",
        "shard 0: entry 1000000-5: changed: its time, or where its changes begin and end",
    ),
    "a change of no shard": (
        "INSERT INTO changes SELECT at_ms, key, epoch, seq, ordinal, 99, change FROM changes WHERE seq = 3 AND epoch = 2000000",
        "shard 99: change 0 of entry 2000000-3: added: the installation has no such shard",
    ),
    "a record of no shard": (
        "INSERT INTO records SELECT at_ms, key, number, epoch, seq, 99, kind, digest, body FROM records WHERE number = 2",
        "installation: shard 99 in records: added: the installation has no such shard",
    ),
    "an installation without shards": ("DELETE FROM installation", "installation: stream 0: added"),
    "removed entries, said to be of a day that is not kept": (
        """INSERT INTO dropped SELECT 0, -5, 1000000, 3, NULL, 1000000, 6, digest, NULL, NULL FROM entries WHERE seq = 6;
           DELETE FROM entries WHERE epoch = 1000000 AND seq IN (4, 5, 6);
           DELETE FROM changes WHERE epoch = 1000000 AND seq IN (4, 5, 6)""",
        "shard 0: day 19691227, not kept: added, or changed: 1000000-3 before it is of later",
    ),
    "entries that are there, said to be of a day that is not kept": (
        """INSERT INTO dropped SELECT 0, at_ms / 86400000, 1000000, 3, NULL, 1000000, 6, digest, NULL, NULL
           FROM entries WHERE seq = 6""",
        r"shard 0: day \d+, not kept: added: there are entries of this day",
    ),
    "a day where nothing is, said not to be kept": (
        """INSERT INTO dropped SELECT 0, at_ms / 86400000 + 5, 1000000, 3, NULL, 1000000, 6, digest, NULL, NULL
           FROM entries WHERE seq = 6""",
        r"shard 0: day \d+, not kept: added, or changed: its entry 1000000-6 is there",
    ),
    "a day that ends before it begins": (
        "INSERT INTO dropped VALUES (0, 5, 0, 0, NULL, 0, 0, '', NULL, NULL)",
        "shard 0: day 19700106, not kept: added, or changed: it ends before it begins",
    ),
    "records of a day that is not kept, which ends before it begins": (
        "INSERT INTO dropped VALUES (0, 5, 0, 0, 1, 0, 0, '', 1, ''); DELETE FROM records WHERE number = 2",
        "records of shard 0: record 3: removed",
    ),
    "an end of the history at another time": (
        "UPDATE positions SET at_ms = at_ms + 3600000 WHERE stream = '0'",
        "shard 0: entry 2000000-3: the row of `positions` that names it has another time",
    ),
    "an end of the log of commands at another time": (
        "UPDATE positions SET at_ms = at_ms + 1 WHERE stream = 'commands'",
        "commands: entry 2: the row of `positions` that names it has another time",
    ),
    "another number of shards, with which nothing is found": (
        f"UPDATE installation SET shards = {MORE_SHARDS}",
        "shard 0: entry 1000000-1: the number of shards of the installation was changed: e1/match_odds is of another one",
    ),
    "a removed checkpoint": ("DELETE FROM checkpoints WHERE number = 1", "checkpoints: checkpoint 2: removed"),
    "a changed checkpoint": ("UPDATE checkpoints SET body = body || ' ' WHERE number = 1", "checkpoints: checkpoint 1: changed"),
}


async def compute_anew(database: Database) -> None:
    """Compute all digests anew, as somebody with the program and the password would."""
    connection = await database.connect()
    try:
        digest = b""
        for row in await connection.fetch("SELECT * FROM entries ORDER BY epoch, seq"):
            parts = "SELECT change FROM changes WHERE (epoch, seq) = ($1, $2) ORDER BY ordinal"
            changes = [each["change"] for each in await connection.fetch(parts, row["epoch"], row["seq"])]
            before, digest = digest, hashlib.sha256(digest + b"".join([row["head"], *changes, row["tail"]])).digest()
            follows = None if row["follows_digest"] is None else before
            update = "UPDATE entries SET digest = $3, follows_digest = $4 WHERE (epoch, seq) = ($1, $2)"
            await connection.execute(update, row["epoch"], row["seq"], digest, follows)
        await connection.execute("UPDATE positions SET digest = $1 WHERE stream = '0'", digest)
        digest = b""
        for row in await connection.fetch(f"SELECT {', '.join(RecordRow._fields)} FROM records ORDER BY number"):
            record = RecordRow(*row)
            digest = record_digest(digest, record)
            await connection.execute("UPDATE records SET digest = $2 WHERE number = $1", record.number, digest)
        await connection.execute("UPDATE positions SET record_digest = $1 WHERE stream = '0'", digest)
    finally:
        await connection.close()


async def test_every_way_to_tamper_with_a_history_is_found_and_named(
    database: Database, redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    public = load_public_key(generate_key(tmp_path / "key"))
    keys = {fingerprint(public): public}
    log = CommandLog(redis, NAMESPACE)
    made = a_command("note", all=True)
    await log.write(made)
    private = load_private_key(tmp_path / "key")
    async with archiving(database, redis_server.url):
        owner = await Owner(redis).claimed()
        for price in range(2000, 2180, 20):
            await owner.offers(price)
        await until_archived(database, owner.offer.epoch, owner.offer.seq)
        await until_archived(database, 0, 1, stream="commands")
        await signed(database, private)
        await owner.publisher.claim(2_000_000)
        for price in range(2000, 2060, 20):
            await owner.offers(price)
        await log.write(msgspec.structs.replace(made, lifted_by="bob", lifted_ms=50), made)
        await until_archived(database, owner.offer.epoch, owner.offer.seq)
        await until_archived(database, 0, 2, stream="commands")
        await signed(database, private)
    assert [] == await found(database, keys)
    verified = await Verifier(database, keys).run()
    assert (14, 12, 2) == verified[:2] + verified[3:4]
    await execute(database, *(f"CREATE TABLE saved_{table} AS SELECT * FROM {table}" for table in TABLES))
    wrong = {}
    for name, (statements, expected) in TAMPERED.items():
        await execute(database, *statements.split(";"))
        problems = await found(database, keys)
        if not problems or re.match(expected, problems[0]) is None:
            wrong[name] = problems
        await execute(database, *RESTORE)
    assert {} == wrong
    await execute(
        database, "UPDATE changes SET change = set_byte(change, length(change) - 2, 1) WHERE epoch = 1000000 AND seq = 5"
    )
    await compute_anew(database)
    assert [] == await found(database)
    (problem, *_) = await found(database, keys)
    assert problem.startswith("shard 0: entry 1000000-9: computed anew: checkpoint 1")
    await execute(database, *RESTORE)
    # The end of an epoch is cut off, what follows is made to fit, and what was signed later is gone.
    await execute(database, *(f"DELETE FROM {table} WHERE epoch = 1000000 AND seq = 9" for table in ("entries", "changes")))
    await execute(
        database, "UPDATE entries SET follows_seq = 8 WHERE follows_seq = 9", "DELETE FROM checkpoints WHERE number > 1"
    )
    await compute_anew(database)
    assert [] == await found(database)
    (problem, *_) = await found(database, keys)
    assert problem == "shard 0: entry 1000000-9: removed: checkpoint 1 was signed after it"


async def archive_prices(database: Database, times_ms: Sequence[int]) -> None:
    """Archive a shard whose only market got another price at each of these times."""
    shard = SyntheticShard(0, ("default",), 1_000_000)
    for number, at_ms in enumerate(times_ms):
        shard.offer.stage_event(an_event())
        shard.offer.stage_market(an_offer_of(prices={"home": 2000 + 20 * number}))
        entry = shard.publish(at_ms)
        assert entry is not None
        shard.rows.add(entry)
    batch = shard.rows.take()
    assert batch is not None
    connection = await database.connect()
    try:
        await claim_installation(connection, NAMESPACE, 1, 0)
        await make_days(connection, {0})
        await write_batches(connection, [batch])
    finally:
        await connection.close()


async def test_a_history_is_whole_though_a_clock_was_set_back(database: Database) -> None:
    """Also if several processes verify it, each a part of the time."""
    await archive_prices(database, (1_000_000, 5_000_000, 2_000_000, 2_000_001, 6_000_000))
    for processes in (1, 2):
        verified = await Verifier(database, {}, processes=processes).run()
        assert (6, 5, []) == (verified.entries, verified.changes, verified.problems)
    await database.execute("DELETE FROM changes WHERE at_ms = 2000001")
    assert (await found(database))[0].endswith("removed: its change 0 of 1")


async def test_a_part_that_reaches_the_end_has_the_end(database: Database) -> None:
    """Whoever verifies the last day each day misses what was cut off, and nothing of before."""
    key = Ed25519PrivateKey.generate()
    keys = {fingerprint(key.public_key()): key.public_key()}
    await archive_prices(database, [1_000_000 + number * 1000 for number in range(1, 6)])
    await signed(database, key)

    async def found_since(at_ms: int) -> list[str]:
        verified = await Verifier(database, keys, period=(at_ms, EVER[1])).run()
        return [f"{problem.chain}: {problem.row}: {problem.what}" for problem in verified.problems]

    assert [[], [], []] == [await found_since(at_ms) for at_ms in (1, 1_003_000, 9_000_000)]
    await execute(database, "DELETE FROM entries WHERE seq = 5; DELETE FROM changes WHERE seq = 5")
    expected = [f"shard 0: entry {EPOCH}-5: removed: the end of the chain, after {EPOCH}-4"]
    assert expected == await found_since(1_003_000)
    await execute(database, END.replace("digest)", "digest, at_ms)").replace("digest FROM", "digest, at_ms FROM"))
    assert [f"shard 0: entry {EPOCH}-5: removed: checkpoint 1 was signed after it"] == await found_since(1_003_000)
