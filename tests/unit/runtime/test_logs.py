"""Logs are one JSON object per line on standard error, without the noise of libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PROBE = """
import logging
import structlog
from oddsengine.runtime.telemetry.logs import configure_logging

configure_logging({level!r}, json=True)
structlog.get_logger("ours").info("something happened", shard=3)
structlog.get_logger("ours").debug("a detail")
logging.getLogger("a.library").warning("odd: %s", 5)
logging.getLogger("aiohttp.access").info("GET /")
try:
    raise ValueError("no")
except ValueError:
    structlog.get_logger("ours").exception("failed")
"""


def logged(level: str) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", PROBE.format(level=level)], capture_output=True, text=True, check=True)
    assert "" == done.stdout
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_has_its_event_fields_level_logger_and_time() -> None:
    ours, library, failed = logged("info")
    assert {"event": "something happened", "shard": 3, "level": "info", "logger": "ours"}.items() <= ours.items()
    assert ours["timestamp"].endswith("Z")
    assert ("odd: 5", "warning", "a.library") == (library["event"], library["level"], library["logger"])
    assert "ValueError: no" in failed["exception"]


def test_debug_logs_stay_free_of_a_line_per_request() -> None:
    assert ["something happened", "a detail", "odd: 5", "failed"] == [line["event"] for line in logged("debug")]


def test_a_higher_level_leaves_the_lower_ones_out() -> None:
    assert ["odd: 5", "failed"] == [line["event"] for line in logged("warning")]


SECRET_PROBE = """
import asyncio, logging
import structlog
from feeds.toolkit.credentials import read_secret
from oddsengine.runtime.telemetry.logs import configure_logging

configure_logging("debug", json={json})
key = read_secret("an API key", "KEY", environment={{"KEY": "k3y-of-the-provider"}})
logging.getLogger("websockets.client").debug("> GET /ws?apiKey=%s HTTP/1.1", key)
structlog.get_logger("ours").warning("refused", url="https://provider/odds?apiKey=" + key)
try:
    raise ValueError(key)
except ValueError:
    structlog.get_logger("ours").exception("failed")
"""


@pytest.mark.parametrize("as_json", [True, False])
def test_no_line_contains_a_secret_that_was_read(as_json: bool) -> None:
    probe = SECRET_PROBE.format(json=as_json)
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "k3y-of-the-provider" not in done.stderr
    assert done.stderr.count("***") >= 3
