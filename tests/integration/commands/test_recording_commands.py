"""Recording and replaying by the real commands against emulated providers."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import subprocess
import sys
from base64 import b64decode
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from tests.support.processes.inside import called

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


def words(process: subprocess.CompletedProcess[str]) -> str:
    """Return the text of a usage error without its frame."""
    return " ".join(process.stderr.replace("│", " ").split())


@asynccontextmanager
async def emulated(provider: str, seed: int) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """Emulate a provider; each seed has other matches. Yields its part of a config, as it prints it, and its secrets."""
    command = [COMMAND, "emulate", provider, "--events", "3", "--seed", str(seed)]
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
    try:
        yield block + EXTRA[provider], secrets
    finally:
        process.send_signal(signal.SIGINT)
        await process.stdout.read()
        assert 0 == await process.wait()


async def recorded(config: Path, secrets: dict[str, str], folder: Path) -> dict[str, list[Path]]:
    """Record until there are two files of each feed, and return all of them."""

    def files() -> dict[str, list[Path]]:
        return {provider: sorted(folder.glob(f"{provider}-*")) for provider in EXTRA}

    command = [COMMAND, "record", "--config", str(config), "--out", str(folder), "--rotate-mb", "0.02"]
    recording = await asyncio.create_subprocess_exec(*command, env={**os.environ, **secrets}, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(60):
            while not all(len(parts) >= 2 for parts in files().values()):
                await asyncio.sleep(0.1)
    finally:
        recording.send_signal(signal.SIGINT)
        code = await recording.wait()
    assert 0 == code
    return files()


async def published(folder: Path, config: Path, seed: str, speed: str) -> bytes:
    """Replay recordings and return the batches to be published."""
    out = folder.parent / f"published-{seed}"
    arguments = ("replay", str(folder), "--published", str(out), "--speed", speed, "--config", str(config))
    replay = await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        env={**os.environ, "PYTHONHASHSEED": seed},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    summary, problems = await replay.communicate()
    assert 0 == replay.returncode, problems.decode()
    assert b"0 rejected" in summary
    return out.read_bytes()


async def test_replays_of_recordings_publish_the_same_bytes(tmp_path: Path) -> None:
    """Of all providers at once, in different processes and at different speeds. A recording holds no keys and no tokens."""
    folder, config = tmp_path / "recordings", tmp_path / "odds.toml"
    async with AsyncExitStack() as stack:
        running = await asyncio.gather(
            *(stack.enter_async_context(emulated(*each)) for each in zip(EXTRA, range(1, 6), strict=True))
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
    command = [COMMAND, "record", "--out", str(tmp_path), "--config", str(config)]
    secret = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PINNACLE_USERNAME": ""})
    assert 3 == secret.returncode
    assert "the environment variable PINNACLE_USERNAME is not set; the feed needs a Pinnacle user name there" in secret.stderr
