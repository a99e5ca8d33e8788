"""A real Prometheus that scrapes what a test runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest

from tests.support.processes.ports import free_port
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/bin"
PROMETHEUS: Final = shutil.which("prometheus", path=_PATH)
PROMTOOL: Final = shutil.which("promtool", path=_PATH)
needs_prometheus = pytest.mark.skipif(None in {PROMETHEUS, PROMTOOL}, reason="prometheus is not installed")


class Prometheus:
    """A running Prometheus.

    Args:
        url: its URL.
        http: a client.
    """

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer. An expression that can't be parsed is an error."""
        async with self._http.get(f"{self._url}/api/v1/{path}", params=parameters) as answer:
            body = await answer.json()
        assert "success" == body["status"], f"{parameters}: {body.get('error')}"
        return body["data"]

    async def scraped(self) -> list[dict[str, Any]]:
        """Return its targets once each was scraped."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                targets = (await self.ask("targets"))["activeTargets"]
                if targets and all(target["health"] != "unknown" for target in targets):
                    return list(targets)
                await asyncio.sleep(0.1)


@asynccontextmanager
async def running_prometheus(folder: Path, jobs: list[Mapping[str, Any]], rules: Path) -> AsyncIterator[Prometheus]:
    """Run a Prometheus until the context is left.

    Args:
        folder: for its files.
        jobs: what it scrapes, as in its config, which is YAML and so may be JSON.
        rules: a file of rules.
    """
    assert PROMETHEUS is not None
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb", "--log.level=warn"]
    process = await asyncio.create_subprocess_exec(PROMETHEUS, *options, f"--web.listen-address=127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as http:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    assert process.returncode is None, "prometheus has ended"
                    try:
                        async with http.get(f"{url}/-/ready") as answer:
                            if answer.ok:
                                break
                    except aiohttp.ClientError:
                        pass
                    await asyncio.sleep(0.05)
            yield Prometheus(url, http)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
