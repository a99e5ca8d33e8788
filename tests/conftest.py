"""Fixtures of every suite: a real Redis and the recordings."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from oddsengine.streams.connection import open_client
from oddsengine.streams.embedded import EmbeddedRedis
from tests.support.forks.plugin import is_forking, pytest_addoption, pytest_runtestloop  # noqa: F401 - pytest finds them
from tests.support.laws.examples import IS_RANDOM, USUAL
from tests.support.processes.forked import fork_server
from tests.support.service import shared_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio import Redis

# No deadlines: tests do not depend on speed, which is measured in bench/.
settings.register_profile(
    "suite", max_examples=USUAL, deadline=None, derandomize=not IS_RANDOM, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

ROOT = Path(__file__).parent.parent


def recorded_data() -> Path:
    """Return the folder of recordings: ODDSENGINE_TEST_DATA, or ../shared/data beside the project."""
    return Path(os.environ.get("ODDSENGINE_TEST_DATA", ROOT.parent / "shared" / "data"))


def pytest_configure() -> None:
    """Heed SIGINT, which a shell ignores for what it runs in the background, and so would the commands under test."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start what all processes share while tests are collected."""
    if is_forking(session.config):
        fork_server.open()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """End it."""
    fork_server.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Import thousands of modules without looking for garbage among them again and again."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later collection of garbage."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of recordings. Tests are skipped if it is absent."""
    folder = recorded_data()
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder} (set ODDSENGINE_TEST_DATA)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _stop_shared_servers() -> Iterator[None]:
    fork_server.is_used = True
    yield
    shared_redis.close()


@pytest_asyncio.fixture
async def redis_server() -> AsyncIterator[EmbeddedRedis]:
    """A real server for this test alone, which may stop it."""
    async with EmbeddedRedis() as server:
        yield server


@pytest_asyncio.fixture
async def redis(redis_server: EmbeddedRedis) -> AsyncIterator[Redis]:
    """A client of the server."""
    client = open_client(redis_server.url, timeout_s=2.0)
    yield client
    await client.aclose()
