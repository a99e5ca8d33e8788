"""Fixtures of the history: a database for each test on one real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.support.history.databases import shared_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from oddsengine.history.database import Database


@pytest.fixture(scope="session", autouse=True)
def _stop_shared_postgres() -> Iterator[None]:
    yield
    shared_postgres.close()


@pytest_asyncio.fixture
async def database() -> AsyncIterator[Database]:
    """A database with the tables of the history, and nothing in them."""
    yield await shared_postgres.new_database()
