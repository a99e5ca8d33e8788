"""What is exported is what was published: read back from the files, each price is the one on offer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from oddsengine.cli.app import app
from oddsengine.domain.changes import MarketState, MarketTerms
from oddsengine.history.archive.writer import write_batches
from oddsengine.history.exporting.export import Exporter
from oddsengine.history.exporting.parquet_files import ParquetFiles
from oddsengine.history.exporting.price_rows import PriceRow
from oddsengine.history.schema.migrations import newest_revision
from oddsengine.history.schema.partitions import DAY_MS, make_days
from tests.support.builders import an_event, an_offer_of
from tests.support.history.synthetic import SyntheticShard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oddsengine.history.database import Database
    from oddsengine.offer.owned_offer import OwnedOffer

DAY = 20_000
NOON_MS = DAY * DAY_MS + DAY_MS // 2
PROFILES = ("retail", "sharp")


def stage(offer: OwnedOffer, event: str, sport: str, prices: dict[str, tuple[int | None, ...]], **terms: Any) -> None:
    market = an_offer_of(f"{event}/match_odds", dict.fromkeys(prices))
    state = MarketState("open", None, in_play=False, terms=(MarketTerms(), MarketTerms(**terms)))
    selections = {key: each._replace(prices=prices[key]) for key, each in market.selections.items()}
    offer.stage_event(an_event(event, sport=sport))
    offer.stage_market(msgspec.structs.replace(market, state=state, selections=selections))


async def archive_two_days(database: Database) -> OwnedOffer:
    """Archive two events of two sports over two days, and what they are in the end."""
    shard = SyntheticShard(0, PROFILES, NOON_MS)
    offer = shard.offer

    def publish(at_ms: int) -> None:
        if (entry := shard.publish(at_ms)) is not None:
            shard.rows.add(entry)

    stage(offer, "e1", "football", {"home": (2000, 2100), "away": (1800, 1850)})
    stage(offer, "e2", "Horse Racing", {"7": (9000, None)})
    publish(NOON_MS + 1)
    stage(offer, "e1", "football", {"home": (2000, 2150), "away": (1800, 1850)})
    publish(NOON_MS + 2)
    stage(offer, "e1", "football", {"home": (2000, 2150), "away": (1800, 1850)}, suspended=True)
    publish(NOON_MS + DAY_MS)
    offer.remove_event(offer.events["e2"].record.id)  # type: ignore[index]
    publish(NOON_MS + DAY_MS + 1)
    batch = shard.rows.take()
    assert batch is not None
    connection = await database.connect()
    await make_days(connection, {DAY, DAY + 1})
    await write_batches(connection, [batch])
    await connection.close()
    return offer


def published(offer: OwnedOffer) -> Iterator[tuple[Any, ...]]:
    for market in offer.markets.values():
        for key, selection in market.selections.items():
            for profile, price in zip(PROFILES, selection.prices, strict=True):
                yield market.id, key, profile, None if price is None else price / 1000


async def test_an_export_has_every_price_by_day_and_sport(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: the last row of each price of a day is the price at its end; what is of no day of the period is not there."""
    monkeypatch.setattr("oddsengine.history.exporting.parquet_files._KEPT", 3)  # groups of few rows are one file too
    offer = await archive_two_days(database)
    counted: list[int] = []
    exporter = Exporter(database, tmp_path, (0, 1 << 50), None, counted.append)
    exported = await exporter.run()
    days = ("2024-10-04", "2024-10-05")
    names = [f"{day}/{sport}.parquet" for day in days for sport in ("football", "horse_racing")]
    assert names == [str(file.relative_to(tmp_path)) for file in exported.files]
    assert [] == list(tmp_path.rglob("*.unfinished"))
    assert (await exporter.count(), 0) == (sum(counted), exported.unreadable)
    first, _, second, gone = [pq.read_table(file).to_pylist() for file in exported.files]
    assert exported.rows == 4 + 2 + 2 + 4 + 4 + 2 + 1
    assert [1, 1, 1, 1, 2, 2] == [row["seq"] for row in first]
    opened = first[1]
    assert ("change", "e1/match_odds", "home", "sharp", 2.1) == tuple(
        opened[name] for name in ("kind", "market", "selection", "profile", "odds")
    )
    assert ("cup", "Cup", "E1", "open", None, False, "active", 1) == tuple(
        opened[name]
        for name in ("competition", "competition_name", "event_name", "status", "reason", "in_play", "selection_status", "v")
    )
    assert ["state"] * 4 + ["change"] * 4 == [row["kind"] for row in second]
    assert {("retail", "open", None), ("sharp", "suspended", "trader")} == {
        (row["profile"], row["status"], row["reason"]) for row in second[4:]
    }
    last = {(row["market"], row["selection"], row["profile"]): row["odds"] for row in second}
    assert set(published(offer)) == {(*key, odds) for key, odds in last.items()}
    assert [("state", 9.0), ("state", None), ("left", None)] == [(row["kind"], row["odds"]) for row in gone]


def test_files_are_whole_or_what_they_were(tmp_path: Path) -> None:
    """Sports that differ in their spelling alone are in one file; a disk that is full leaves nothing half written."""

    def written(*sports: str) -> ParquetFiles:
        files = ParquetFiles(tmp_path, DAY)
        for number, sport in enumerate(sports):
            files.add(PriceRow(number, "left", 0, 1, number, sport, f"e{number}", f"e{number}/x"))
        return files

    (file,) = written("Ice Hockey", "ice_hockey").close()
    before = pq.read_table(file)
    assert ["Ice Hockey", "ice_hockey"] == before["sport"].to_pylist()
    full = file.with_name(".tennis.parquet.unfinished")
    full.symlink_to("/dev/full")
    files = written("ice_hockey", "tennis")
    with pytest.raises(OSError):  # noqa: PT011 - whichever it is
        files.close()
    files.discard()
    assert [file] == list(file.parent.iterdir())
    assert before == pq.read_table(file)


async def test_a_part_of_a_day_of_one_sport_by_the_command(database: Database, tmp_path: Path) -> None:
    await archive_two_days(database)
    config = tmp_path / "odds.toml"
    config.write_text(f'[history]\nurl = "{database.url}"\n', encoding="utf-8")
    times = ("--from", "2024-10-04T12:00:00.002Z", "--to", "2024-10-04T12:00:00.003Z")
    command = ["history", "export", "-c", str(config), *times, "--sport", "football", "--out", str(tmp_path / "out")]
    ended = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert ended.exit_code == 0, ended.output
    (file,) = (tmp_path / "out").rglob("*.parquet")
    rows = pq.read_table(file).to_pylist()
    assert [("retail", 2.0), ("sharp", 2.15)] == [(row["profile"], row["odds"]) for row in rows]
    assert {("E1", "football")} == {(row["event_name"], row["sport"]) for row in rows}

    for name in ("export --out x", "verify"):
        backwards = ["history", *name.split(), "-c", str(config), "--from", "2024-10-05", "--to", "2024-10-04"]
        refused = await asyncio.to_thread(CliRunner().invoke, app, backwards)
        assert refused.exit_code == 2, "nothing in no time is no answer to whoever has confused two dates"

    await database.execute("UPDATE alembic_version SET version_num = '0999'")
    for name in ("verify", "export --out x", "holds", "forget --author ann"):
        refused = await asyncio.to_thread(CliRunner().invoke, app, ["history", *name.split(), "-c", str(config)])
        assert (1, True) == (refused.exit_code, "made by a newer release" in refused.output), refused.output
    await database.execute("UPDATE alembic_version SET version_num = $1", newest_revision())

    for event, is_warned in (("e1", False), ("e7", True)):
        held = await asyncio.to_thread(CliRunner().invoke, app, ["history", "hold", event, "-c", str(config)])
        assert (0, is_warned) == (held.exit_code, "is its id right" in held.output), held.output
    verified = await asyncio.to_thread(CliRunner().invoke, app, ["history", "verify", "-c", str(config)])
    assert ["held: e1", "held: e7"] == [line for line in verified.output.splitlines() if line.startswith("held")]
