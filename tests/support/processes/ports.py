"""Ports for servers that are started later, or never."""

from __future__ import annotations

import secrets
import socket
from typing import Final

#: Below those that Linux gives to whoever connects, or listens on any port: nobody takes one before its server does.
_PORTS: Final = range(10_000, 32_768)


def free_port() -> int:
    """Return a port of this machine that nothing uses, and that nobody else gets by chance."""
    while True:
        # Not of `random`: hypothesis seeds that, so that several processes would choose the same one.
        port = secrets.choice(_PORTS)
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
