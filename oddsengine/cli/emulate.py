"""`oddsengine emulate`: a provider on loopback, to try a config against and to see what happens when it misbehaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from feeds.emulators.core.faults import KINDS
from feeds.emulators.core.market_model import Truth
from feeds.feed import installed_feeds
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.signals import stop_event

if TYPE_CHECKING:
    from feeds.feed import Emulated


def emulators() -> list[str]:
    """Name the adapters installed here whose providers can be emulated."""
    return sorted(name for name, plugin in installed_feeds().items() if hasattr(plugin, "emulator"))


async def emulate(provider: str, host: str, port: int, events: int, seed: int) -> None:
    """Emulate a provider until SIGINT or SIGTERM, and say how to connect to it and how to make it misbehave.

    Args:
        provider: the adapter's name.
        host: where to listen.
        port: 0 takes a free one.
        events: how many matches.
        seed: of the matches; two providers of one seed quote the same ones.
    """
    stop = stop_event()
    plugin = cast("Emulated", installed_feeds()[provider])
    emulator = plugin.emulator(Truth(seed, events, wall_clock_ms(), suspend_share=0.001))
    await emulator.start(host, port)
    try:
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"[bold]{provider}[/bold] with {events} matches; Ctrl-C stops. In a config:\n")
        console.print(f'\\[feeds.{provider}]\nadapter = "{provider}"')
        for key, value in emulator.config().items():
            console.print(f"{key} = {_toml(value)}")
        console.print("\nwith these secrets:\n")
        for variable, value in plugin.emulated_secrets().items():
            console.print(f"export {variable}={value}")
        console.print("\nTo make it misbehave:\n")
        console.print(_how_to_misbehave(provider, host, emulator.port))
        console.print("\nkinds:")
        for kind in sorted(emulator.kinds):
            console.print(f"  {kind:<14}{KINDS[kind]}")
        await stop.wait()
    finally:
        await emulator.stop()


def _how_to_misbehave(provider: str, host: str, port: int) -> str:
    if provider == "betfair":
        words = '{"op":"misbehave","kind":"stall","seconds":10}'
        return f"printf '{words}\\\\r\\\\n' | nc -N {host} {port}"
    return f'curl http://{host}:{port}/emulator/misbehave -d \'{{"kind":"stall","seconds":10}}\''


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
