"""A PostgreSQL that is reached by TLS and asks for a password, which is in a variable, a file or the URL."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest

from oddsengine.history.database import DENIED, UNREACHABLE, open_database
from oddsengine.history.settings import HistorySettings
from tests.support.credentials import Certificates
from tests.support.history.databases import shared_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oddsengine.history.database import Database

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
