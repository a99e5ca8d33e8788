"""A config is reloaded when its own file changes, as a whole or not at all."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest
from structlog.testing import capture_logs

from oddsengine.runtime.reload import ENGINE_READS, GATEWAY_READS, ReloadedPart, Reloader
from oddsengine.runtime.settings import Settings, load_settings, parse_settings
from oddsengine.runtime.settings.file_contents import READ_ONCE
from oddsengine.runtime.settings.reload_table import changed_keys
from tests.support.service import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from oddsengine.pricing.pricer import Pricer

FIRST = "[profiles.default]\nbook_sum = 1.05\n"
SECOND = "[profiles.default]\nbook_sum = 1.10\n"


def load(path: Path) -> Settings:
    return load_settings(path, {})


class Fake(msgspec.Struct):
    """The config of a feed."""


class WithSecret(msgspec.Struct):
    """The config of a feed with a secret."""

    api_key_file: str = ""


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


async def test_changed_profiles_are_adopted(config: Path) -> None:
    engine = Engine()
    reloader = Reloader(config, load, load(config), engine.adopt)
    assert await reloader.reload()
    assert [] == engine.pricers, "nothing has changed"
    config.write_text(SECOND)
    assert await reloader.reload()
    assert await reloader.reload()
    assert 1 == len(engine.pricers)


async def test_a_bad_file_is_rejected_and_changes_nothing(config: Path) -> None:
    engine = Engine()
    reloader = Reloader(config, load, load(config), engine.adopt)
    config.write_text("[profiles.default]\nbook_sum = 0.5\n")
    with capture_logs() as logs:
        assert not await reloader.reload()
    assert "config rejected" == logs[0]["event"]
    assert logs[0]["problems"][0].startswith(f"{config}:2: profiles.default.book_sum")
    assert [] == engine.pricers
    config.write_text(SECOND)
    assert not await Reloader(config, load, parse_settings(FIRST, "odds.toml", {}), engine.refuse).reload()


async def test_an_engine_names_only_keys_that_it_reads(config: Path) -> None:
    reloader = Reloader(config, load, load(config), Engine().adopt, reads=ENGINE_READS)
    config.write_text(
        FIRST + "[gateway]\nport = 1\ntrusted_proxies = ['10.0.0.1']\n[limits]\nsessions = 3\nrequests_per_s = 9\n"
        "[auth]\nissuer = 'us'\n"
    )
    with capture_logs() as logs:
        assert await reloader.reload()
    assert ["gateway.trusted_proxies", "auth.issuer", "limits.requests_per_s"] == logs[0]["needs_restart"]
    assert ["restart needed"] * 3 == [line["event"] for line in logs[1:]]


async def test_what_changed_and_what_needs_a_restart_is_named_by_key(config: Path) -> None:
    config.write_text(FIRST + "[engine]\nshards = 2\n")
    reloader = Reloader(config, load, load(config), Engine().adopt)
    config.write_text(
        "[auth]\nissuer = 'us'\n[limits]\nsessions = 3\n[matching]\nwindow_min = 5\n[log]\nlevel = 'debug'\n"
        "[profiles.default]\nbook_sum = 1.2\n[engine]\nshards = 2\n[[sourcing]]\nsport = 'tennis'\n"
    )
    level = logging.getLogger().level
    try:
        for _ in range(2):
            with capture_logs() as logs:
                assert await reloader.reload()
            needed = ["auth.issuer", "limits.sessions", "matching.window_min", "sourcing"]
            assert needed == logs[0]["needs_restart"], "as long as it was not restarted"
        assert [] == logs[0]["changed"], "the second time"
        assert logging.DEBUG == logging.getLogger().level
    finally:
        logging.getLogger().setLevel(level)


async def test_a_gateway_names_only_what_it_reads(config: Path) -> None:
    reloader = Reloader(config, load, load(config), None, reads=GATEWAY_READS)
    config.write_text(SECOND + "[gateway]\nheartbeat_ms = 900\n[matching]\nwindow_min = 5\n")
    with capture_logs() as logs:
        assert await reloader.reload()
    assert ([], ["gateway.heartbeat_ms"]) == (logs[0]["changed"], logs[0]["needs_restart"]), "nothing here takes it over"


@pytest.mark.parametrize("key", READ_ONCE)
async def test_a_file_that_is_read_once_needs_a_restart_when_it_holds_something_else(key: str, config: Path) -> None:
    section, _, name = key.partition(".")
    secret = config.parent / "secret"
    secret.write_text("rediss://:before@redis")
    first = load(config)
    given = {name: str(secret)}
    if name != "url_file":
        given |= {"url": "rediss://redis"} if section == "redis" else {}
        given |= {"tls_cert": str(secret), "tls_key": str(secret)} if name in {"tls_cert", "tls_key"} else {}
    settings = msgspec.structs.replace(first, **{section: msgspec.structs.replace(getattr(first, section), **given)})
    reloader = Reloader(config, lambda _: settings, settings, None)
    secret.write_text("rediss://:after@redis")
    for _ in range(2):
        with capture_logs() as logs:
            assert await reloader.reload()
        assert key in logs[0]["needs_restart"]
        assert key in [line["key"] for line in logs if line["event"] == "restart needed"], "until it was restarted"
    secret.unlink()
    with capture_logs() as logs:
        assert await reloader.reload()
    assert [] == logs[0]["needs_restart"], "while the file is replaced"


async def test_workers_are_replaced_once_for_a_file_that_they_read_once(config: Path) -> None:
    secret = config.parent / "secret"
    secret.write_text("redis://:before@redis")
    config.write_text(f"{FIRST}[redis]\nurl_file = '{secret}'\n")
    asked: list[list[str]] = []
    restarts: Callable[[Sequence[str]], None] = lambda keys: asked.append([*keys])  # noqa: E731
    reloader = Reloader(config, load, load(config), None, reads=GATEWAY_READS, restarts=restarts)
    secret.write_text("redis://:after@redis")
    assert await reloader.reload()
    assert await reloader.reload()
    assert [["redis.url_file"], []] == asked


async def test_a_feed_is_opened_again_when_its_secret_was_changed(config: Path) -> None:
    secret = config.parent / "key"
    secret.write_text("before")
    config.write_text(f"{FIRST}[feeds.a]\nadapter = 'secret'\napi_key_file = '{secret}'\n")

    def load_secret(path: Path) -> Settings:
        return load_settings(path, {"secret": WithSecret})

    before = load_secret(config)
    assert [] == list(changed_keys(before, load_secret(config)))
    secret.write_text("after")
    assert ["feeds.a"] == list(changed_keys(before, load_secret(config)))


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (FIRST, "", "[profiles]"),
        (FIRST, "# [profiles.default]\n", "[profiles]"),
        (FIRST, "[log]\nlevel = 'info'\n", "[profiles]"),
        (f"{FIRST}[feeds.a]\nadapter = 'fake'\n", SECOND, "[feeds]"),
        (f"{FIRST}[[auth.keys]]\nalgorithm = 'HS256'\nenv = 'KEY'\n", FIRST + "[auth]\n", "[[auth.keys]]"),
    ],
)
async def test_a_file_that_is_cut_off_is_rejected(before: str, after: str, lost: str, config: Path) -> None:
    """What is on offer would lose its profiles."""

    def load_any(path: Path) -> Settings:
        return load_settings(path, {"fake": Fake})

    config.write_text(before)
    settings = load_any(config)
    reloader = Reloader(config, load_any, settings, Engine().adopt)
    config.write_text(after)
    with capture_logs() as logs:
        assert not await reloader.reload()
    assert lost in " ".join(logs[0]["problems"])


async def test_profiles_are_added_removed_and_put_in_another_order(config: Path) -> None:
    engine = Engine()
    reloader = Reloader(config, load, load(config), engine.adopt)
    second = "[profiles.second]\n"
    for text, profiles in (
        (FIRST + second, ["default", "second"]),
        (second + FIRST, ["second", "default"]),
        (FIRST, ["default"]),
    ):
        config.write_text(text)
        with capture_logs() as logs:
            assert await reloader.reload()
        assert profiles == list(engine.pricers[-1].profiles)
        assert [] == logs[0]["needs_restart"]


async def test_a_reload_keeps_the_guard_across_markets_as_it_is(config: Path) -> None:
    engine = Engine()
    off = "[engine]\ncross_market_guard = false\n"
    config.write_text(FIRST + off)
    reloader = Reloader(config, load, load(config), engine.adopt)
    config.write_text(SECOND + off)
    assert await reloader.reload()
    assert engine.pricers[-1].scores is None


async def test_a_part_takes_over_its_sections_once_everything_is_prepared(config: Path) -> None:
    taken: list[int] = []

    async def prepare(settings: Settings) -> Callable[[], None]:
        shards = settings.engine.shards
        if shards > 2:
            raise ValueError("too many")
        return lambda: taken.append(shards)

    engine = Engine()
    part = ReloadedPart(frozenset({"engine"}), prepare)
    reloader = Reloader(config, load, load(config), engine.adopt, parts=[part])
    config.write_text(SECOND + "[engine]\nshards = 3\n")
    assert not await reloader.reload()
    assert ([], []) == (taken, engine.pricers), "all or nothing"
    config.write_text(SECOND + "[engine]\nshards = 2\n")
    with capture_logs() as logs:
        assert await reloader.reload()
        assert await reloader.reload()
    assert ([2], 1) == (taken, len(engine.pricers))
    assert ["engine.shards", "profiles.default"] == logs[0]["changed"]


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


def write(path: Path, text: str) -> None:
    path.write_text(text)


def rename_over(path: Path, text: str) -> None:
    """Replace a file as editors do."""
    replacement = path.with_name("replacement")
    replacement.write_text(text)
    replacement.rename(path)


def swap_config_map(path: Path, text: str) -> None:
    """Replace the folder behind the link behind the file, as Kubernetes does."""
    folder = path.parent / f"..{len(list(path.parent.iterdir()))}"
    folder.mkdir()
    (folder / path.name).write_text(text)
    link = path.parent / "..data_tmp"
    link.symlink_to(folder.name)
    link.rename(path.parent / "..data")
    if not path.exists():
        path.symlink_to(f"..data/{path.name}")


def swap_link(path: Path, text: str) -> None:
    target = path.parent / f"{len(list(path.parent.iterdir()))}.toml"
    target.write_text(text)
    link = path.with_name("link")
    link.symlink_to(target.name)
    link.rename(path)


def write_target(path: Path, text: str) -> None:
    """Change a file that the config is a link to, in another folder."""
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    (elsewhere / "odds.toml").write_text(text)
    if not path.is_symlink():
        path.unlink(missing_ok=True)
        path.symlink_to(elsewhere / "odds.toml")


@pytest.mark.parametrize("replace", [write, rename_over, swap_config_map, swap_link, write_target])
async def test_a_file_is_reloaded_however_it_is_replaced(replace: Callable[[Path, str], None], tmp_path: Path) -> None:
    """Once for each change, and not for other files of the folder, such as our own log."""
    config = tmp_path / "config" / "odds.toml"
    config.parent.mkdir()
    replace(config, FIRST)
    loads = CountedLoads()
    reloader = Reloader(config, loads, load(config), Engine().adopt, poll_s=0.01)
    async with running(reloader), asyncio.timeout(30):
        await loads.loaded.wait()
        loads.loaded.clear()
        for number in range(4):
            (config.parent / "odds.log").write_text(f"{number}")
            await asyncio.sleep(0.02)
        assert 1 == loads.count, "only at the start"
        for number in range(1, 4):
            replace(config, f"{FIRST}# {number}\n")
            await loads.loaded.wait()
            loads.loaded.clear()
        config.touch()
        await asyncio.sleep(0.1)
        assert 4 == loads.count


async def test_a_file_that_is_missing_for_a_moment_is_waited_for(config: Path) -> None:
    loads = CountedLoads()
    async with running(Reloader(config, loads, load(config), Engine().adopt, poll_s=0.01)), asyncio.timeout(30):
        await loads.loaded.wait()
        loads.loaded.clear()
        config.unlink()
        await asyncio.sleep(0.1)
        assert 1 == loads.count
        config.write_text(SECOND)
        await loads.loaded.wait()


async def test_a_change_during_the_start_is_not_lost(config: Path) -> None:
    engine = Engine()
    reloader = Reloader(config, load, load(config), engine.adopt, poll_s=None)
    config.write_text(SECOND)
    async with running(reloader):
        await wait_until(lambda: bool(engine.pricers), "the reload")


async def test_a_requested_reload_needs_no_change(config: Path) -> None:
    loads = CountedLoads()
    reloader = Reloader(config, loads, load(config), Engine().adopt, poll_s=None)
    async with running(reloader), asyncio.timeout(30):
        await loads.loaded.wait()
        loads.loaded.clear()
        reloader.request()
        await loads.loaded.wait()
