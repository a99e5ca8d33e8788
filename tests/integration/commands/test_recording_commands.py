"""Recording and replaying by the real commands against emulated providers."""

from __future__ import annotations

import asyncio
import gzip
import signal
from base64 import b64decode
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import orjson

from tests.support.processes.command import command
from tests.support.processes.forked import run
from tests.support.processes.inside import called
from tests.support.service import wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator
    from pathlib import Path

EXTRA = {
    "theoddsapi": 'bookmakers = ["book"]\nmin_interval_s = 0.1\n',
    "opticodds": 'sportsbooks = ["book"]\n',
    "pinnacle": "",
    "oddsapiio": "",
    "betfair": "",
}


def words(process: subprocess.CompletedProcess[str]) -> str:
    """Return the text of a usage error without its frame."""
    return " ".join(process.stderr.replace("│", " ").split())


@asynccontextmanager
async def emulated(folder: Path, provider: str, seed: int) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """Emulate a provider; each seed has other matches. Yields its part of a config, as it prints it, and its secrets."""
    folder.mkdir()
    async with command("emulate", provider, "--events", "3", "--seed", str(seed), cwd=folder) as process:
        await wait_until(lambda: "\nkinds" in process.log.read_text(), provider)
        block, secrets = "", {}
        for line in process.log.read_text().splitlines():
            if line.startswith("[feeds") or " = " in line:
                block += f"{line}\n"
            elif line.startswith("export "):
                key, _, value = line.removeprefix("export ").partition("=")
                secrets[key] = value
        yield block + EXTRA[provider], secrets
        assert 0 == await process.stop(signal.SIGINT)


async def recorded(config: Path, secrets: dict[str, str], folder: Path) -> dict[str, list[Path]]:
    """Record until there are two files of each feed, and return all of them."""

    def files() -> dict[str, list[Path]]:
        return {provider: sorted(folder.glob(f"{provider}-*")) for provider in EXTRA}

    arguments = ("record", "--config", config, "--out", folder, "--rotate-mb", "0.01")
    async with command(*arguments, cwd=config.parent, environment=secrets) as process:
        await process.logged("recording")
        await wait_until(lambda: all(len(parts) >= 2 for parts in files().values()), "two files of each feed")
        assert 0 == await process.stop(signal.SIGINT)
    return files()


async def published(folder: Path, config: Path, seed: str, speed: str) -> bytes:
    """Replay recordings and return the batches to be published."""
    out = folder.parent / f"published-{seed}"
    arguments = ("replay", str(folder), "--published", str(out), "--speed", speed, "--config", str(config))
    replay = await asyncio.to_thread(run, *arguments, environment={"PYTHONHASHSEED": seed})
    assert 0 == replay.returncode, replay.stderr
    assert "0 rejected" in replay.stdout
    return out.read_bytes()


async def test_replays_of_recordings_publish_the_same_bytes(tmp_path: Path) -> None:
    """Of all providers at once, in different processes and at different speeds. A recording holds no keys and no tokens."""
    folder, config = tmp_path / "recordings", tmp_path / "odds.toml"
    async with AsyncExitStack() as stack:
        running = await asyncio.gather(
            *(stack.enter_async_context(emulated(tmp_path / name, name, seed)) for seed, name in enumerate(EXTRA, 1))
        )
        config.write_text("".join(block for block, _ in running))
        secrets = {key: value for _, each in running for key, value in each.items()}
        files = await recorded(config, secrets, folder)
    first, second = await asyncio.gather(published(folder, config, "1", "max"), published(folder, config, "2", "50"))
    assert first == second
    batches = [b64decode(orjson.loads(line)["batch"]) for line in first.splitlines()]
    assert any(b"open" in batch for batch in batches)
    for provider, parts in files.items():
        assert any(provider.encode() in batch for batch in batches), provider
        unpacked = b"".join(gzip.decompress(part.read_bytes()) for part in parts)
        for secret in secrets.values():
            assert secret.encode() not in unpacked
    missing = await asyncio.to_thread(called, "replay", files["betfair"][1])
    assert 1 == missing.returncode
    assert "part 1 is missing; pass all parts" in missing.stderr


def test_unknown_providers_and_feeds_and_missing_secrets_are_reported(tmp_path: Path) -> None:
    nobody = called("emulate", "nobody")
    assert 2 == nobody.returncode
    assert "there are betfair" in words(nobody)
    none = called("record", "--out", str(tmp_path), "--feed", "x")
    assert 2 == none.returncode
    assert "no feed 'x' in the config" in words(none)
    config = tmp_path / "c.toml"
    config.write_text('[feeds.p]\nadapter = "pinnacle"\n')
    secret = run("record", "--out", tmp_path, "--config", config, environment={"PINNACLE_USERNAME": ""})
    assert 3 == secret.returncode
    assert "the environment variable PINNACLE_USERNAME is not set; the feed needs a Pinnacle user name there" in secret.stderr
