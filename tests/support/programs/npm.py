"""Node, and packages of npm that are installed for a test."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: No lock file, since those name hosts; and nothing of a package is run when it is installed.
_OPTIONS: Final = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier", "--loglevel=error")
_TIMEOUT_S: Final = 90
#: The first with a WebSocket client.
_NODE: Final = (20, 10)


@lru_cache
def node_problem() -> str:
    """Return why Node can't run the clients here; empty if it can."""
    if shutil.which("node") is None:
        return "no Node on PATH (apt-get install nodejs)"
    version = subprocess.run(("node", "--version"), capture_output=True, text=True, check=True).stdout.strip()
    parts = tuple(int(part) for part in version.removeprefix("v").split(".")[:2])
    return "" if parts >= _NODE else f"Node {version} has no WebSocket client: {_NODE[0]}.{_NODE[1]} is needed"


needs_npm = pytest.mark.skipif(
    bool(node_problem()) or shutil.which("npm") is None, reason=node_problem() or "no npm on PATH (apt-get install npm)"
)


def npm_install(folder: Path, *packages: str) -> None:
    """Install packages, as `centrifuge@5.7.0` or an archive's path, into a folder. Skips the test if that is not possible."""
    command = ["npm", "install", *_OPTIONS, "--prefix", str(folder), *packages]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm has not installed {', '.join(packages)} within {_TIMEOUT_S} s")
    if done.returncode:
        pytest.skip(f"npm can't install {', '.join(packages)} here: {done.stderr.strip()[:200]}")


def npm_run(folder: Path, *arguments: str) -> str:
    """Run npm in a folder, and return what it says. Raise AssertionError if it fails."""
    command = ["npm", "--no-update-notifier", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
