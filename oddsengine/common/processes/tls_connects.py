"""Connects by TLS that may be cancelled at any moment.

aiofastnet 1.2 closes the socket of a connect that is cancelled as its handshake succeeds, while the event loop still watches it
(`api_create_connection.py`: `transport.close()` shuts down in order, then `sock.close()`). libuv ends the process for that, with
`abort()` in `uv__epoll_ctl_flush`. A timeout of a connection to Redis, a provider or a webhook is enough.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from aiofastnet import api_utils

#: Where aiofastnet takes its transports from when it connects.
_PLACES: Final[Any] = api_utils
_SOCKET: Final = _PLACES.SSLTransport_Socket
_TRANSPORT: Final = _PLACES.SSLTransport_Transport


def abort_cancelled_connects() -> None:
    """Abort the transport of a connect that is cancelled before its socket is closed. May be called again."""
    _PLACES.SSLTransport_Socket = partial(_watched, _SOCKET)
    _PLACES.SSLTransport_Transport = partial(_watched, _TRANSPORT)


def _watched(make: Any, *args: Any, waiter: asyncio.Future[Any] | None = None, **options: Any) -> Any:
    """Return a transport. `waiter` is what its connect awaits; None for one that was accepted."""
    transport = make(*args, waiter=waiter, **options)
    if waiter is not None:
        # Called before the connect goes on, which awaits it only from now on.
        waiter.add_done_callback(partial(_abort_if_cancelled, transport, asyncio.current_task()))
    return transport


def _abort_if_cancelled(transport: Any, connecting: asyncio.Task[Any] | None, waiter: asyncio.Future[Any]) -> None:
    if waiter.cancelled() or (connecting is not None and connecting.cancelling()):
        transport.abort()
