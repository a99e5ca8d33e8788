"""The plain TCP and TLS transport that line-based providers share."""

from __future__ import annotations

import asyncio
import ssl


class TcpTransport:
    """Opens a TCP connection, with TLS against the system's certificates if asked.

    Args:
        host: name or address.
        port: TCP port.
        tls: whether to speak TLS and check the certificate against `host`.
    """

    def __init__(self, host: str, port: int, *, tls: bool) -> None:
        self.host = host
        self.port = port
        self._context = ssl.create_default_context() if tls else None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection; may be cancelled. Raises OSError if it can't be opened."""
        return await asyncio.open_connection(self.host, self.port, ssl=self._context)
