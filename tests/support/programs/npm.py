"""Packages of npm, installed for a test."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: No lock file, since those name hosts; and nothing of a package is run when it is installed.
_OPTIONS: Final = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier", "--loglevel=error")
_TIMEOUT_S: Final = 90
needs_npm = pytest.mark.skipif(
    shutil.which("npm") is None or shutil.which("node") is None, reason="no npm on PATH (apt-get install npm)"
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
