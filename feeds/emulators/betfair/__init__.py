"""Betfair on loopback: the Exchange Stream over TCP or TLS, and login, keep-alive and catalogue over HTTP.

`stream_server` also carries the simulator and the benchmarks' provider: it serves any `Tradable`.
"""

from feeds.emulators.betfair.emulator import BetfairEmulator
from feeds.emulators.emulator import EmulatorPlugin

__all__ = ["EMULATOR", "BetfairEmulator"]

EMULATOR = EmulatorPlugin(
    BetfairEmulator,
    {"BETFAIR_APP_KEY": "emulated", "BETFAIR_SESSION_TOKEN": "emulated-session"},
)
