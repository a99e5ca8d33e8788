"""The plug-in contract of emulators: a provider's real protocol, served on loopback over a market model.

A package offers an emulator as an entry point of the group `oddsengine.emulators`, named like the adapter it stands in for, whose
object is an `EmulatorPlugin`. Adapters never import emulators: what a licensed operator runs does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from feeds.emulators.core.market_model import MarketModel

if TYPE_CHECKING:
    import ssl


ENTRY_POINTS: Final = "oddsengine.emulators"


class EmulatorNotInstalled(LookupError):
    """No installed package offers an emulator of this provider.

    Args:
        provider: the name that was looked up.
        installed: the names that exist.
    """

    def __init__(self, provider: str, installed: list[str]) -> None:
        self.provider = provider
        self.installed = installed
        known = f"there are {', '.join(installed)}" if installed else "no emulators are installed; reinstall oddsengine"
        super().__init__(f"no provider {provider!r} to emulate; {known}")


class Emulator(Protocol):
    """A running emulator."""

    @property
    def market_model(self) -> MarketModel:
        """The market it quotes."""
        ...

    @property
    def port(self) -> int:
        """The port it listens on; valid after `start`."""
        ...

    @property
    def fault_kinds(self) -> frozenset[str]:
        """The faults it can inject; keys of `feeds.emulators.core.faults.KINDS`."""
        ...

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Start listening; `port` 0 takes a free one."""
        ...

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        ...

    def inject_fault(self, kind: str, seconds: float = 5.0) -> None:
        """Start a fault, once or for a while; `seconds` 0 ends it. Raises ValueError if it does not support `kind`."""
        ...

    def fault_command(self, host: str) -> str:
        """Return a shell command that injects a fault from outside."""
        ...

    def pause(self, *, paused: bool) -> None:
        """Freeze the market model, or resume it. Heartbeats and answers continue."""
        ...

    def config(self) -> dict[str, Any]:
        """Return the keys a feed's config block needs to reach it; valid after `start`."""
        ...


class EmulatorPlugin(NamedTuple):
    """One provider's entry point.

    `build` makes the emulator of a market model. `secrets` are environment variables for a feed that connects to it, with values
    that it accepts.
    """

    build: Callable[[MarketModel], Emulator]
    secrets: Mapping[str, str]


def installed_emulators() -> list[str]:
    """Return the names of the providers that can be emulated, sorted."""
    return sorted(_entry_points())


def load_emulator(provider: str) -> EmulatorPlugin:
    """Load the emulator of a provider.

    Raises:
        EmulatorNotInstalled: if no installed package offers one.
    """
    points = _entry_points()
    if provider not in points:
        raise EmulatorNotInstalled(provider, installed_emulators())
    plugin: EmulatorPlugin = points[provider].load()
    return plugin


def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}
