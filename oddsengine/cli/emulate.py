"""`oddsengine emulate`: run a provider on loopback, to try a config against and to watch feeds recover from faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from feeds.emulators.core.faults import KINDS
from feeds.emulators.core.market_model import MarketModel
from oddsengine.common.clock import wall_clock_ms
from oddsengine.runtime.processes.startup import Step

if TYPE_CHECKING:
    from feeds.emulators.emulator import EmulatorPlugin
    from oddsengine.runtime.processes.startup import Startup

_SUSPEND_SHARE = 0.001


async def emulate(
    startup: Startup, provider: str, plugin: EmulatorPlugin, address: tuple[str, int], events: int, seed: int
) -> None:
    """Emulate a provider until SIGINT or SIGTERM. Print how to connect to it and how to inject faults.

    Args:
        startup: the steps of the start.
        provider: the adapter's name.
        plugin: its emulator.
        address: host and port to listen on; port 0 takes a free one.
        events: the number of matches.
        seed: of the market model; two providers with one seed quote the same matches.
    """
    host, port = address
    emulator = plugin.build(MarketModel(seed, events, wall_clock_ms(), suspend_share=_SUSPEND_SHARE))
    with startup.doing(Step.BIND):
        await emulator.start(host, port)
    startup.ready()
    try:
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"[bold]{provider}[/bold] with {events} matches; Ctrl-C stops. In a config:\n")
        console.print(f'\\[feeds.{provider}]\nadapter = "{provider}"')
        for key, value in emulator.config().items():
            console.print(f"{key} = {_toml(value)}")
        console.print("\nwith these secrets:\n")
        for variable, value in plugin.secrets.items():
            console.print(f"export {variable}={value}")
        console.print("\nTo make it misbehave:\n")
        console.print(escape(emulator.fault_command(host)))
        console.print("\nkinds:")
        for kind in sorted(emulator.fault_kinds):
            console.print(f"  {kind:<14}{KINDS[kind]}")
        await startup.stopping.wait()
    finally:
        await emulator.stop()


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
