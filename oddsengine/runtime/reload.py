"""Live reload: a changed config file replaces what can be replaced as a whole, or changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import structlog

from oddsengine.pricing.guards.score_grid import ScoreGuard
from oddsengine.pricing.pricer import Pricer
from oddsengine.runtime.processes.file_watch import POLL_S, changes
from oddsengine.runtime.settings import ConfigError, Settings
from oddsengine.runtime.settings.file_contents import contents_read_once
from oddsengine.runtime.settings.reload_table import NEEDS_RESTART, changed_keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
    from pathlib import Path

#: What a reload applies in every process that reads it. Everything else needs a part of it that takes it over.
RELOADED: Final = frozenset({"profiles", "tiers", "log", "engine.cross_market_guard", "engine.cross_market_solves_per_s"})
#: Sections that a running process can't lose: a file without them is more likely cut off than meant.
_KEPT_SECTIONS: Final = ("profiles", "feeds")
#: What `oddsengine run` reads: everything but what only processes of other kinds read.
RUN_READS: Final = frozenset(Settings.__struct_fields__) - {"feeder", "bridge"}
#: What a gateway reads: sections, and keys of others.
GATEWAY_READS: Final = frozenset(
    {"gateway", "auth", "limits", "commands", "quotes", "log", "metrics", "telemetry", "engine.shards"}
).union(
    (f"redis.{name}" for name in ("url", "url_env", "url_file", "namespace", "tls_ca", "tls_cert", "tls_key")),
    # It answers questions about the past.
    (f"history.{name}" for name in ("url", "password_env", "password_file", "tls_ca", "tls_cert", "tls_key")),
)
#: What an engine without a gateway reads: sections, and the keys of others that its own HTTP API needs.
ENGINE_READS: Final = RUN_READS - {"gateway", "limits", "commands", "quotes"} | {
    "gateway.trusted_proxies",
    "limits.requests_per_s",
}
#: What an archiver reads.
ARCHIVER_READS: Final = frozenset({"redis", "history", "auth", "log", "metrics"}) | {
    "engine.lease_s",
    "engine.shards",
    "gateway.trusted_proxies",
    "limits.requests_per_s",
}
#: What a feeder reads.
FEEDER_READS: Final = frozenset({"redis", "feeder", "feeds", "auth", "log", "metrics"}) | {
    "engine.lease_s",
    "engine.shards",
    "gateway.trusted_proxies",
    "limits.requests_per_s",
}
_log = structlog.get_logger(__name__)


class ReloadedPart(NamedTuple):
    """A part of a process that takes over changed sections of the file.

    Attributes:
        keys: the sections that it takes over, and the keys of others.
        prepare: checks what is new and returns what applies it; raises ValueError if that can't be used. Nothing is applied
            before everything is prepared.
    """

    keys: frozenset[str]
    prepare: Callable[[Settings], Awaitable[Callable[[], None]]]


def applying(apply: Callable[[Settings], None]) -> Callable[[Settings], Awaitable[Callable[[], None]]]:
    """Return a `prepare` for what needs no check of its own: the function is called with the new settings."""

    async def prepare(settings: Settings) -> Callable[[], None]:
        return partial(apply, settings)

    return prepare


class Reloader:
    """Loads a config file again on request and when the file changes.

    Args:
        path: the config file.
        load: loads it; raises ConfigError.
        settings: the settings in effect.
        adopt: switches the engine to another pricer; raises ValueError if it can't. None if there is no engine.
        parts: the parts of this process that take over other sections.
        reads: the sections, and the keys of others, that this process reads.
        poll_s: how often the file is looked at; None: only on request.
        restarts: called after a reload with the keys that need new processes, where those can be started. They are then in
            effect.
        fixed: the keys that need a restart even so.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        path: Path,
        load: Callable[[Path], Settings],
        settings: Settings,
        adopt: Callable[[Pricer], None] | None,
        *,
        parts: Sequence[ReloadedPart] = (),
        reads: frozenset[str] = RUN_READS,
        poll_s: float | None = POLL_S,
        restarts: Callable[[Sequence[str]], None] | None = None,
        fixed: frozenset[str] = frozenset(),
    ) -> None:
        self._path = path
        self._load = load
        self._settings = settings
        self._contents = contents_read_once(settings)
        self._adopt = adopt
        self._parts = parts
        self._applied = RELOADED.union(*(part.keys for part in parts))
        self._reads = reads
        self._poll_s = poll_s
        self._restarts = restarts
        self._fixed = fixed
        self._requested = asyncio.Event()

    def request(self) -> None:
        """Request a reload, as SIGHUP does. `run` carries it out."""
        self._requested.set()

    async def run(self) -> None:
        """Watch the file and reload until cancelled."""
        if self._is_outdated():
            self.request()
        async with asyncio.TaskGroup() as group:
            if self._poll_s is not None:
                group.create_task(self._watch(self._poll_s))
            while True:
                await self._requested.wait()
                self._requested.clear()
                await self.reload()

    async def reload(self) -> bool:
        """Load the file and adopt what can be changed. Return False if it was rejected, which changes nothing."""
        try:
            settings = self._load(self._path)
            _require_sections(self._settings, settings)
            # What needs a restart is as it was: the others must fit that.
            after = _with(self._settings, settings, self._applied)
            takeovers = [await part.prepare(after) for part in self._parts if self._concerns(part, after)]
            if self._adopt is not None and _pricing(after) != _pricing(self._settings):
                if after.engine.cross_market_guard:
                    ScoreGuard.load()
                self._adopt(Pricer(after.profiles, after.tiers, after.engine.solves_per_s))
        except (ConfigError, ValueError) as error:
            _log.error("config rejected", file=str(self._path), problems=str(error).splitlines())
            return False
        keys = dict.fromkeys([*changed_keys(self._settings, settings), *self._rewritten(settings)])
        changed = [key for key in keys if not {key, key.partition(".")[0]}.isdisjoint(self._reads)]
        needed = [key for key in changed if not {key, key.partition(".")[0]} & self._applied]
        needs_restart = needed if self._restarts is None else [key for key in needed if key in self._fixed]
        applied = [key for key in changed if key not in needs_restart]
        for apply in takeovers:
            apply()
        if settings.log != self._settings.log:
            logging.getLogger().setLevel(settings.log.level.upper())
        self._settings = after
        _log.info("config reloaded", file=str(self._path), changed=applied, needs_restart=needs_restart)
        for key in needs_restart:
            _log.warning("restart needed", key=key, reason=NEEDS_RESTART.get(key, "this process can't take it over"))
        if self._restarts is not None:
            self._restarts(needed)
            self._settings = _with(settings, self._settings, self._fixed)
            self._contents |= contents_read_once(settings)
        return True

    def _rewritten(self, settings: Settings) -> Iterator[str]:
        """Yield the keys of files that hold something else by now than when this process has read them."""
        for key, content in contents_read_once(settings).items():
            if self._contents.get(key, content) != content:
                yield key

    def _concerns(self, part: ReloadedPart, settings: Settings) -> bool:
        return any(_value(settings, key) != _value(self._settings, key) for key in part.keys)

    def _is_outdated(self) -> bool:
        """Check whether the file has changed since it was loaded, for example while the process waited for Redis."""
        try:
            return self._load(self._path) != self._settings
        except (ConfigError, ValueError):
            return True

    async def _watch(self, poll_s: float) -> None:
        async for _ in changes(self._path, poll_s):
            self.request()


def _with(settings: Settings, others: Settings, keys: Iterable[str]) -> Settings:
    """Return settings with some sections, and some keys of others, as other settings have them."""
    for section, _, name in (key.partition(".") for key in keys):
        value = getattr(others, section)
        if name:
            value = msgspec.structs.replace(getattr(settings, section), **{name: getattr(value, name)})
        settings = msgspec.structs.replace(settings, **{section: value})
    return settings


def _pricing(settings: Settings) -> tuple[Any, ...]:
    """Return what a pricer is made of, in its order: dicts in another order are equal."""
    return list(settings.profiles.items()), list(settings.tiers.items()), settings.engine.solves_per_s


def _value(settings: Settings, key: str) -> Any:
    """Return a section, or a key of one; of a table whose order counts, its items in order."""
    section, _, name = key.partition(".")
    value = getattr(settings, section)
    return getattr(value, name) if name else list(value.items()) if isinstance(value, dict) else value


def _require_sections(before: Settings, after: Settings) -> None:
    for section in _KEPT_SECTIONS:
        if section in before.sections and section not in after.sections:
            names = ", ".join(getattr(before, section))
            raise ValueError(f"the file has no [{section}] any more, and {names} run with them: restart if that is meant")
    if before.auth.keys and not after.auth.keys and after.auth.anonymous_role is None:
        # The default would let everybody in.
        raise ValueError("the file has no [[auth.keys]] any more: set auth.anonymous_role if that is meant")


@asynccontextmanager
async def run_reloader(reloader: Reloader) -> AsyncIterator[None]:
    """Run a reloader until the context is left."""
    async with asyncio.TaskGroup() as group:
        reloading = group.create_task(reloader.run(), name="reload")
        try:
            yield
        finally:
            reloading.cancel()
