"""The reference uWebSockets: its native publish and subscribe, driven from Python by socketify.

`python -m bench.peers.uwebsockets_server PORT`. A connection that sends `SUB a b` subscribes to topics. What a connection sends
in binary frames is published: a topic and a payload, a line each.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from socketify import App, OpCode

_MAX_BYTES: Final = 1 << 26


def _serve(port: int) -> None:
    app = App()

    def receive(socket: Any, message: str | bytes, opcode: OpCode) -> None:
        if opcode == OpCode.TEXT and isinstance(message, str):
            for topic in message.removeprefix("SUB ").split():
                socket.subscribe(topic)
            return
        lines = (message.decode() if isinstance(message, bytes) else message).split("\n")
        for topic, payload in zip(lines[::2], lines[1::2], strict=True):
            app.publish(topic, payload, OpCode.TEXT)

    options = {
        "compression": 0,
        "max_payload_length": 1 << 26,
        "max_backpressure": 1 << 26,
        "idle_timeout": 0,
        "message": receive,
    }
    app.ws("/*", options)
    app.listen({"port": port, "host": "127.0.0.1"}, lambda _: print(port, flush=True))
    app.run()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
