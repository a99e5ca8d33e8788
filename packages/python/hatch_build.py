# ruff: noqa: INP001 - hatchling loads it by its path
"""Adds the modules that are listed in pyproject.toml: from the repository, or from the sdist that was made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Sources(BuildHookInterface[Any]):
    """Includes files of the repository under the names that they have there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files to what is built."""
        del version
        here = Path(self.root)
        base = here if (here / "oddsengine").is_dir() else here.parents[1]
        for source in self.config["sources"]:
            build_data["force_include"][str(base / source)] = source
