"""Recording and replaying by the real commands against emulated providers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from base64 import b64decode
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

COMMAND = str(Path(sys.executable).parent / "oddsengine")
EXTRA = {
    "theoddsapi": 'bookmakers = ["book"]\nmin_interval_s = 0.1\n',
    "opticodds": 'sportsbooks = ["book"]\n',
    "pinnacle": "",
    "oddsapiio": "",
    "betfair": "",
}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment})


def words(process: subprocess.CompletedProcess[str]) -> str:
    """Return the text of a usage error without its frame."""
    return " ".join(process.stderr.replace("│", " ").split())


@asynccontextmanager
async def emulated(provider: str, folder: Path) -> AsyncIterator[tuple[Path, dict[str, str]]]:
    """Emulate a provider. Yields a file with the config that it prints, and its secrets."""
    command = [COMMAND, "emulate", provider, "--events", "3"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    block, secrets = "", {}
    async with asyncio.timeout(60):
        while not (line := (await process.stdout.readline()).decode()).startswith("kinds"):
            if line.startswith("[feeds") or " = " in line:
                block += line
            elif line.startswith("export "):
                key, _, value = line.removeprefix("export ").strip().partition("=")
                secrets[key] = value
    config = folder / f"{provider}.toml"
    config.write_text(block + EXTRA[provider])
    try:
        yield config, secrets
    finally:
        process.send_signal(signal.SIGINT)
        await process.stdout.read()
        assert 0 == await process.wait()


async def recorded(config: Path, secrets: dict[str, str], folder: Path) -> list[Path]:
    """Record until there are two files, and return all of them."""
    command = [COMMAND, "record", "--config", str(config), "--out", str(folder), "--rotate-mb", "0.02"]
    recording = await asyncio.create_subprocess_exec(*command, env={**os.environ, **secrets}, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(60):
            while not (folder.is_dir() and len(list(folder.iterdir())) >= 2):
                await asyncio.sleep(0.1)
    finally:
        recording.send_signal(signal.SIGINT)
        code = await recording.wait()
    assert 0 == code
    return sorted(folder.iterdir())


async def published(folder: Path, config: Path, seed: str, speed: str) -> bytes:
    """Replay a recording and return the batches to be published."""
    out = folder.parent / f"{folder.name}-published-{seed}"
    arguments = ("replay", str(folder), "--published", str(out), "--speed", speed, "--config", str(config))
    done = await asyncio.to_thread(run, *arguments, PYTHONHASHSEED=seed)
    assert 0 == done.returncode, done.stderr
    assert "0 rejected" in done.stdout
    return out.read_bytes()


@pytest.mark.parametrize("provider", EXTRA)
async def test_replays_of_a_recording_publish_the_same_bytes(provider: str, tmp_path: Path) -> None:
    """In different processes and at different speeds. A recording holds no keys and no tokens."""
    folder = tmp_path / provider
    async with emulated(provider, tmp_path) as (config, secrets):
        parts = await recorded(config, secrets, folder)
        first, second = await published(folder, config, "1", "max"), await published(folder, config, "2", "50")
    assert first == second
    batches = [b64decode(orjson.loads(line)["batch"]) for line in first.splitlines()]
    assert any(b"open" in batch for batch in batches)
    unpacked = await asyncio.to_thread(subprocess.run, ["gzip", "-dc", *map(str, parts)], capture_output=True, check=True)
    for secret in secrets.values():
        assert secret.encode() not in unpacked.stdout
    missing = await asyncio.to_thread(run, "replay", str(parts[1]))
    assert 1 == missing.returncode
    assert "part 1 is missing; pass all parts" in missing.stderr


def test_unknown_providers_and_feeds_and_missing_secrets_are_reported(tmp_path: Path) -> None:
    nobody = run("emulate", "nobody")
    assert 2 == nobody.returncode
    assert "there are betfair" in words(nobody)
    none = run("record", "--out", str(tmp_path), "--feed", "x")
    assert 2 == none.returncode
    assert "no feed 'x' in the config" in words(none)
    config = tmp_path / "c.toml"
    config.write_text('[feeds.p]\nadapter = "pinnacle"\n')
    secret = run("record", "--out", str(tmp_path), "--config", str(config), PINNACLE_USERNAME="")
    assert 3 == secret.returncode
    assert "the environment variable PINNACLE_USERNAME is not set; the feed needs a Pinnacle user name there" in secret.stderr
