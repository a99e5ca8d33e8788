"""Live reload: the profiles of a changed config take effect whole, or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog
from watchfiles import awatch

from oddsengine.pricing.pricer import Pricer
from oddsengine.runtime.settings import ConfigError, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_log = structlog.get_logger(__name__)


class Reloader:
    """Reads a config again when told to, or when its file changes.

    Args:
        path: the file.
        read: reads it; raises ConfigError.
        settings: what holds now.
        adopt: prices by other rules; raises ValueError if it can't.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], Settings],
        settings: Settings,
        adopt: Callable[[Pricer], None],
    ) -> None:
        self._path = path
        self._read = read
        self._settings = settings
        self._adopt = adopt
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Have the file read again, as SIGHUP does."""
        self._asked.set()

    async def run(self) -> None:
        """Reload until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            while True:
                await self._asked.wait()
                self._asked.clear()
                self.reload()

    def reload(self) -> bool:
        """Read the file and price by its profiles; a bad one changes nothing. Tell whether it was taken."""
        try:
            settings = self._read(self._path)
            if (settings.profiles, settings.tiers) != (self._settings.profiles, self._settings.tiers):
                self._adopt(Pricer(settings.profiles, settings.tiers))
        except (ConfigError, ValueError) as error:
            _log.error("config not reloaded, the old one stays", file=str(self._path), problems=str(error).splitlines())
            return False
        fixed = [
            name
            for name in ("engine", "redis", "gateway", "log", "feeds")
            if getattr(settings, name) != getattr(self._settings, name)
        ]
        self._settings = msgspec.structs.replace(self._settings, profiles=settings.profiles, tiers=settings.tiers)
        _log.info("config reloaded", file=str(self._path), needs_restart=fixed)
        return True

    async def _watch(self) -> None:
        # The folder is watched: editors and deployments replace the file, and with it whatever watched the file itself.
        async for changes in awatch(self._path.parent, recursive=False):
            if any(self._path.name == changed.rpartition("/")[2] for _, changed in changes):
                self.ask()
