"""Live reload: a changed config file replaces the pricing profiles as a whole, or changes nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from watchfiles import awatch

from oddsengine.pricing.pricer import Pricer
from oddsengine.runtime.settings import ConfigError, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

#: The sections that a reload applies. The others need a restart.
_RELOADED_SECTIONS: Final = frozenset({"profiles", "tiers"})
_log = structlog.get_logger(__name__)


class Reloader:
    """Loads a config file again on request and when the file changes.

    Args:
        path: the config file.
        load: loads it; raises ConfigError.
        settings: the settings in effect.
        adopt: switches the engine to another pricer; raises ValueError if it can't.
    """

    def __init__(
        self,
        path: Path,
        load: Callable[[Path], Settings],
        settings: Settings,
        adopt: Callable[[Pricer], None],
    ) -> None:
        self._path = path
        self._load = load
        self._settings = settings
        self._adopt = adopt
        self._requested = asyncio.Event()

    def request(self) -> None:
        """Request a reload, as SIGHUP does. `run` carries it out."""
        self._requested.set()

    async def run(self) -> None:
        """Watch the file and reload until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            while True:
                await self._requested.wait()
                self._requested.clear()
                self.reload()

    def reload(self) -> bool:
        """Load the file and adopt its profiles. Return False if they were rejected, which changes nothing."""
        try:
            settings = self._load(self._path)
            if (settings.profiles, settings.tiers) != (self._settings.profiles, self._settings.tiers):
                self._adopt(Pricer(settings.profiles, settings.tiers, self._settings.engine.solves_per_s))
        except (ConfigError, ValueError) as error:
            _log.error("config rejected", file=str(self._path), problems=str(error).splitlines())
            return False
        needs_restart = [
            section
            for section in Settings.__struct_fields__
            if section not in _RELOADED_SECTIONS and getattr(settings, section) != getattr(self._settings, section)
        ]
        self._settings = msgspec.structs.replace(self._settings, profiles=settings.profiles, tiers=settings.tiers)
        _log.info("config reloaded", file=str(self._path), needs_restart=needs_restart)
        return True

    async def _watch(self) -> None:
        # Editors and deployments replace the file, which ends a watch on the file itself: watch its folder. Other files there,
        # such as our own log, must not wake us: a log line about each wake-up would cause the next one.
        async for _ in awatch(
            self._path.parent, recursive=False, watch_filter=lambda _, path: Path(path).name == self._path.name
        ):
            self.request()


@asynccontextmanager
async def run_reloader(reloader: Reloader) -> AsyncIterator[None]:
    """Run a reloader until the context is left."""
    async with asyncio.TaskGroup() as group:
        reloading = group.create_task(reloader.run(), name="reload")
        try:
            yield
        finally:
            reloading.cancel()
