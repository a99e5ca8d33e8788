"""The procedure of docs/operations.md: a backup is taken while everything runs, and restored into an empty server."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from oddsengine.domain.ids import EventId
from oddsengine.domain.results import WON
from oddsengine.streams.connection import open_client
from oddsengine.streams.installation import identify
from oddsengine.streams.results import Results
from tests.support.builders import an_event, an_offer_of
from tests.support.redis.servers import RedisServer
from tests.support.streams.ends import Owner, following, same, until

OPERATIONS: Final = Path(__file__).parents[3] / "docs" / "operations.md"


async def back_up(server: RedisServer, to: Path) -> None:
    """Take a backup as the documentation says."""
    program = shutil.which("redis-cli")
    if program is None:
        pytest.skip("no redis-cli")
    (user,) = re.findall(r"`(ACL SETUSER backup [^`]+)`", OPERATIONS.read_text(encoding="utf-8"))
    async with open_client(server.url) as client:
        await client.execute_command(*user.split())  # type: ignore[no-untyped-call]
    arguments = ["-p", str(server.port), "--user", "backup", "--pass", "PASSWORD", "--rdb", str(to)]
    taking = await asyncio.create_subprocess_exec(program, *arguments, stdout=asyncio.subprocess.DEVNULL)
    assert 0 == await taking.wait()


async def test_a_backup_is_restored_below_gateways_that_have_read_more(tmp_path: Path) -> None:
    """The next engine opens an epoch above what they have read; what was kept until the backup is there again."""
    server = RedisServer(tmp_path / "data", {"repl-diskless-sync-delay": 0})
    await server.start()
    try:
        async with open_client(server.url) as client, following(server) as reader:
            await identify(client, "test", 1)
            owner = await Owner(client).claimed()
            owner.offer.stage_event(an_event("e1"))
            resulted = an_offer_of("e1/match_odds", status="closed")
            resulted.selections["home"] = resulted.selections["home"]._replace(status="winner", result=WON)  # type: ignore[index]
            owner.offer.stage_market(resulted)
            await owner.flush()
            owner.offer.remove_event(EventId("e1"), frozenset({"src"}))
            await owner.flush()
            await owner.offers(2000, "e2/match_odds")
            await back_up(server, tmp_path / "backup.rdb")
            await owner.offers(2100, "e2/match_odds")
            await until(lambda: same(owner, reader))
            read = (reader.offer.epoch, reader.offer.seq)
            await server.kill()
            shutil.move(tmp_path / "backup.rdb", tmp_path / "data" / "dump.rdb")
            await server.start()
            await until(lambda: reader.follower.stale)
            assert read == (reader.offer.epoch, reader.offer.seq), "it does not go back"
            successor = await Owner(client).claimed()
            await until(lambda: same(successor, reader))
            assert reader.offer.epoch > read[0]
            assert ["e2/match_odds"] == list(successor.offer.markets)
            assert await Results(client, "test", 1).find("e1/match_odds") is not None
    finally:
        await server.kill()
