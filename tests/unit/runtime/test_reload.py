"""A config is reloaded when its own file changes, as a whole or not at all."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from oddsengine.runtime.reload import Reloader
from oddsengine.runtime.settings import Settings, load_settings, parse_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oddsengine.pricing.pricer import Pricer

FIRST = "[profiles.default]\nbook_sum = 1.05\n"
SECOND = "[profiles.default]\nbook_sum = 1.10\n"


def load(path: Path) -> Settings:
    return load_settings(path, {})


class Engine:
    """Takes pricers, as an engine does."""

    def __init__(self) -> None:
        self.pricers: list[Pricer] = []

    def adopt(self, pricer: Pricer) -> None:
        self.pricers.append(pricer)

    def refuse(self, pricer: Pricer) -> None:
        raise ValueError(f"{type(pricer).__name__} not adopted")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "odds.toml"
    path.write_text(FIRST)
    return path


def test_changed_profiles_are_adopted(config: Path) -> None:
    engine = Engine()
    reloader = Reloader(config, load, load(config), engine.adopt)
    assert reloader.reload()
    assert [] == engine.pricers, "nothing has changed"
    config.write_text(SECOND)
    assert reloader.reload()
    assert reloader.reload()
    assert 1 == len(engine.pricers)


def test_a_bad_file_is_rejected_and_changes_nothing(config: Path) -> None:
    engine = Engine()
    reloader = Reloader(config, load, load(config), engine.adopt)
    config.write_text("[profiles.default]\nbook_sum = 0.5\n")
    with capture_logs() as logs:
        assert not reloader.reload()
    assert "config rejected" == logs[0]["event"]
    assert logs[0]["problems"][0].startswith(f"{config}:2: profiles.default.book_sum")
    assert [] == engine.pricers
    config.write_text(SECOND)
    assert not Reloader(config, load, parse_settings(FIRST, "odds.toml", {}), engine.refuse).reload()


def test_sections_that_need_a_restart_are_named(config: Path) -> None:
    reloader = Reloader(config, load, load(config), Engine().adopt)
    config.write_text("[auth]\nissuer = 'us'\n[limits]\nsessions = 3\n[profiles.default]\nbook_sum = 1.2\n")
    with capture_logs() as logs:
        assert reloader.reload()
    assert ["auth", "limits"] == logs[0]["needs_restart"]


@asynccontextmanager
async def running(reloader: Reloader) -> AsyncIterator[None]:
    task = asyncio.create_task(reloader.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class CountedLoads:
    """Loads the config and counts how often it does."""

    def __init__(self) -> None:
        self.count = 0
        self.loaded = asyncio.Event()

    def __call__(self, path: Path) -> Settings:
        self.count += 1
        self.loaded.set()
        return load(path)


async def test_only_changes_of_the_config_itself_reload_it(config: Path) -> None:
    """Writing another file of the folder, replacing the config and swapping a link to it, as editors and deployments do."""
    loads = CountedLoads()
    reloader = Reloader(config, loads, load(config), Engine().adopt)
    async with running(reloader), asyncio.timeout(20):
        await asyncio.sleep(0.3)
        for number in range(4):
            (config.parent / "odds.log").write_text(f"{number}")
            await asyncio.sleep(0.1)
        assert 0 == loads.count
        replacement = config.with_suffix(".new")
        replacement.write_text(SECOND)
        replacement.rename(config)
        await loads.loaded.wait()
        loads.loaded.clear()
        link = config.with_suffix(".link")
        (config.parent / "other.toml").write_text(FIRST)
        link.symlink_to("other.toml")
        link.rename(config)
        await loads.loaded.wait()


async def test_a_requested_reload_needs_no_change(config: Path) -> None:
    loads = CountedLoads()
    reloader = Reloader(config, loads, load(config), Engine().adopt)
    async with running(reloader), asyncio.timeout(20):
        reloader.request()
        await loads.loaded.wait()
