"""A history of what a recording has led to, compared with what the recording leads to by the same and by another config."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from feeds.recording.reader import Recordings
from oddsengine.cli.support import read_settings
from oddsengine.history.archive.writer import write_batches
from oddsengine.history.rows.command_rows import CommandRows
from oddsengine.history.rows.shard_rows import ShardRows
from oddsengine.history.schema.partitions import day_of, make_days
from oddsengine.offer.entries.entry import opening_of
from oddsengine.runtime.replay import Replay
from oddsengine.runtime.replay_commands import RecordedCommands
from oddsengine.runtime.repricing.priced_replay import PricedReplay
from oddsengine.streams.chain.entries import TailEntry
from oddsengine.streams.positions import Position
from oddsengine.streams.publisher import prepare
from tests.support.builders import a_command
from tests.support.processes.inside import called
from tests.support.providers.simulated import START_MS, record_simulator

if TYPE_CHECKING:
    from pathlib import Path

    from oddsengine.commands.command import Command
    from oddsengine.history.database import Database

SUSPENDED_MS = START_MS + 5000


async def archive(database: Database, recording: Path, config: Path, command: Command) -> None:
    """Write to a history what is published of a recording by a config, and a command that is obeyed meanwhile."""
    settings = read_settings(config)
    rows = ShardRows(0)
    with Recordings([recording]) as recordings:
        states = RecordedCommands.of_states([(command.created_ms, command)])
        priced = PricedReplay(Replay(recordings, "betfair", print), settings, states, keeps_time=True)
        offer = priced.pipeline.offers[0]
        opening = msgspec.msgpack.encode(opening_of(offer, [], START_MS - 1000))
        rows.add(TailEntry(Position(1, 0), opening, b"0"))
        for _at_ms, _, _, batch in priced.batches():
            rows.add(TailEntry(Position(1, offer.seq), prepare(offer, batch).batch, b"d"))
    batch_of_rows = rows.take()
    assert batch_of_rows is not None
    commands = CommandRows()
    commands.add(1, {b"c": msgspec.msgpack.encode(command), b"s": b"salt", b"d": b"d"}, START_MS)
    connection = await database.connect()
    try:
        await make_days(connection, [day_of(START_MS)])
        await write_batches(connection, [batch_of_rows], commands.take())
    finally:
        await connection.close()


async def repriced(folder: Path, config: str, seconds: int) -> dict[str, Any]:
    times = ("--from", "2023-11-14T22:13:22Z", "--to", f"2023-11-14T22:13:{20 + seconds}Z")
    result = await asyncio.to_thread(called, "reprice", folder / "recording", "--config", folder / config, "--json", *times)
    assert 0 == result.returncode, result.stderr
    found: dict[str, Any] = orjson.loads(result.stdout)
    return found


async def test_a_recording_is_compared_with_what_was_published_of_it(database: Database, tmp_path: Path) -> None:
    """By the config of then and with the commands of then nothing differs. By another one its margin does."""
    history = f'[history]\nurl = "{database.url}"\n'
    for name, book_sum in (("same.toml", 1.05), ("new.toml", 1.08)):
        (tmp_path / name).write_text(f"{history}[engine]\nclosed_event_ttl_s = 0\n[profiles.default]\nbook_sum = {book_sum}\n")
    recording = record_simulator(tmp_path / "recording", ticks=90, matches=1)
    command = a_command("suspend", at_ms=SUSPENDED_MS, all=True, types=("total",))
    await archive(database, recording, tmp_path / "same.toml", command)
    # A gap that another one has followed: both are over before what is compared.
    for number, known_ms in ((1, None), (2, START_MS - 500)):
        values = (number, START_MS - 900, START_MS - 800, known_ms)
        await database.execute("INSERT INTO gaps VALUES (0, 0, 0, $2, 0, $1, $3, '', $4, $1, 'trimmed')", *values)
    same = await repriced(tmp_path, "same.toml", 17)
    assert (2000, 17_000, 0) == (same["from_ms"] - START_MS, same["to_ms"] - START_MS, same["unknown_s"])
    totals = next(line for line in same["lines"] if line["type"] == "total")
    assert 0.5 < totals["reasons"]["then"]["trader"] < 0.8
    for line in same["lines"]:
        assert (0, 0, None) == tuple(line["price"].values()), line
        assert all(not figure["change"] for figure in line.values() if isinstance(figure, dict) and "change" in figure), line
    of_all = (await repriced(tmp_path, "new.toml", 12))["lines"][0]
    assert 0.02 < of_all["book_sum"]["change"] < 0.04
    assert of_all["price"]["mean"] < -0.01
    # So it does from before the history begins to after it ends, which does not take longer.
    ever = await asyncio.to_thread(
        called, "reprice", recording, "--config", tmp_path / "new.toml", "--json", "--from", "1990-01-01", "--to", "2090-01-01"
    )
    assert (0, START_MS + 200) == (ever.returncode, orjson.loads(ever.stdout)["from_ms"]), ever.stderr
    # The results came after the time that is compared.
    assert of_all["hold_markets"] > 0
    left = "SELECT count(*) FROM records WHERE kind = 2 AND at_ms BETWEEN $1 AND $2"
    assert 0 < (await database.fetch(left, START_MS + 2000, START_MS + 17_000))[0][0], "markets left meanwhile"
    nothing = ("--from", "2023-11-15", "--to", "2023-11-16")
    result = await asyncio.to_thread(called, "reprice", recording, "--config", tmp_path / "new.toml", *nothing)
    assert (1, True) == (result.returncode, "the history has nothing of this time" in result.stderr)
    await database.execute("UPDATE changes SET change = '\\xc1' WHERE at_ms > $1", START_MS + 3000)
    damaged = ("--from", "2023-11-14T22:13:22Z", "--to", "2023-11-14T22:13:32Z")
    result = await asyncio.to_thread(called, "reprice", recording, "--config", tmp_path / "new.toml", *damaged)
    assert (1, True) == (result.returncode, "run `oddsengine history verify`" in result.stderr), result.stderr
