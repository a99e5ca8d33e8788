"""How a connection is closed whose client may still be sending, or is gone."""

from __future__ import annotations

import asyncio
import socket
import struct

from oddsengine.gateway.fanout.lingering import close_gently, wait_closed

#: Closing resets the connection: SO_LINGER of 0 s (socket(7)).
RESETS = struct.pack("ii", 1, 0)


async def test_a_connection_that_its_client_has_reset_is_closed_before_the_loop_has_noticed() -> None:
    """Else a drain would end with the first such session, and nobody after it would be sent a goodbye."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, accepted)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
    client.close()
    close_gently(transport)
    assert transport.is_closing()
    await wait_closed(transport)
