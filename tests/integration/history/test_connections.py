"""A PostgreSQL that is reached by TLS and asks for a password, which is in a variable, a file or the URL."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import asyncpg
import pytest

from oddsengine.history.archive import archive
from oddsengine.history.database import DENIED, UNREACHABLE, Database, open_database
from oddsengine.history.settings import HistorySettings
from tests.support.credentials import Certificates
from tests.support.history.archiving import archiving, fetch, until_archived
from tests.support.history.databases import shared_postgres
from tests.support.service import wait_until
from tests.support.streams.ends import Owner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

HOUR_MS = 3_600_000
_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"


@asynccontextmanager
async def tls_in_front(path: str, certificates: Certificates) -> AsyncIterator[int]:
    """Carry connections to a socket of PostgreSQL, which has no certificate of its own, none without TLS. Yield the port."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(len(_SSL_REQUEST)) != _SSL_REQUEST:
            writer.close()
            return
        writer.write(b"S")
        try:
            await writer.start_tls(certificates.server())
            there, to = await asyncio.open_unix_connection(path)
            await asyncio.gather(copy(reader, to), copy(there, writer))
        except OSError:
            writer.transport.abort()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def silenced(database: Database, folder: Path) -> AsyncIterator[tuple[Database, asyncio.Event]]:
    """Carry connections to a database. Yield where, and what ends that for all that there are, without a word, once it is set."""
    head, _, name = database.url.partition("host=")
    is_silent = asyncio.Event()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_unix_connection(f"{unquote(name)}/.s.PGSQL.5432")
        is_old = not is_silent.is_set()

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if is_old and is_silent.is_set():
                    return
                target.write(data)
            target.close()

        writers.extend((to, writer))
        await asyncio.gather(copy(reader, to), copy(there, writer))

    writers: list[asyncio.StreamWriter] = []
    async with await asyncio.start_unix_server(carry, folder / ".s.PGSQL.5432"):
        yield Database(f"{head}host={quote(str(folder), safe='')}"), is_silent
        for each in writers:
            each.close()


async def test_a_server_that_is_gone_without_a_word_is_left(
    database: Database, redis_server: EmbeddedRedis, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the archiver says that it is behind, ever more."""
    monkeypatch.setattr(archive, "_WRITE_TIMEOUT_S", 0.3)
    owner = await Owner(redis).claimed()
    with tempfile.TemporaryDirectory() as folder:
        async with silenced(database, Path(folder)) as (carried, is_silent), archiving(carried, redis_server.url) as counters:
            await until_archived(database, owner.offer.epoch, 0)
            is_silent.set()
            await owner.offers(2000)
            await wait_until(lambda: 3600 == counters.behind(2 * HOUR_MS) - counters.behind(HOUR_MS), "nothing is written")
            await until_archived(database, owner.offer.epoch, 1)
            await wait_until(lambda: 0 == counters.behind(2 * HOUR_MS) - counters.behind(HOUR_MS), "everything is written")
    assert [(2,)] == await fetch(database, "SELECT count(*) FROM entries")


async def test_a_password_is_shown_over_tls(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = Certificates(tmp_path)
    socket = await shared_postgres.new_user("secured", "a secret")
    monkeypatch.setenv("PG_PASSWORD", "a secret")
    (tmp_path / "password").write_text("a secret\n")
    (tmp_path / "wrong").write_text("another secret\n")
    name = database.url.rpartition("@/")[2].partition("?")[0]
    async with tls_in_front(socket, certificates) as port:
        url = f"postgresql://secured@127.0.0.1:{port}/{name}"
        trusted = str(certificates.trusted)
        in_url = url.replace("secured@", "secured:a%20secret@")
        for settings in (
            HistorySettings(url=url, password_env="PG_PASSWORD", tls_ca=trusted),
            HistorySettings(url=url, password_file=str(tmp_path / "password"), tls_ca=trusted),
            HistorySettings(url=f"{in_url}?sslmode=require"),
        ):
            opened = open_database(settings)
            assert [("secured",)] == [tuple(row) for row in await opened.fetch("SELECT current_user::text")]
            assert "secret" not in opened.label
        wrong = open_database(HistorySettings(url=url, password_file=str(tmp_path / "wrong"), tls_ca=trusted))
        with pytest.raises(asyncpg.InvalidPasswordError) as refused:
            await wrong.connect()
        assert isinstance(refused.value, DENIED)
        assert "another secret" not in str(refused.value)
        # Its certificate is signed by nobody whom the system knows; without TLS nobody is let in.
        for options in ("sslmode=verify-full", "sslmode=disable"):
            with pytest.raises(UNREACHABLE):
                await open_database(HistorySettings(url=f"{url}?{options}", password_env="PG_PASSWORD")).connect()
