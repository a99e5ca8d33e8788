"""The reference `websockets.broadcast`: the same prepared text to every connection, as fast as possible.

`python -m bench.load.broadcast_server TEXT_BYTES` prints its port. `go` and `stop` on stdin as for `bench.load.hub_server`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve


async def _serve(size: int) -> None:
    connections: set[ServerConnection] = set()

    async def join(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()

    text = "x" * size
    async with serve(join, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while (await reader.readline()).strip() == b"go":
            stop = asyncio.create_task(reader.readline())
            frames, start = 0, time.monotonic()
            while not stop.done():
                broadcast(connections, text)
                frames += len(connections)
                await asyncio.sleep(0)
                while any(each.transport.get_write_buffer_size() > 1 << 16 for each in connections):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            print(json.dumps({"frames": frames, "seconds": time.monotonic() - start}), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(_serve(int(sys.argv[1])))
