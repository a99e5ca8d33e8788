"""A server of processes: each is a fork of one that has imported the commands, which takes a second.

`python -m tests.support.processes.fork_server FD` answers requests on a socket until that is closed. A fork goes on as
`python -m oddsengine` would: with its own arguments, environment, folder and streams, and to its own end.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
from typing import Final

import msgspec

import oddsengine.__main__ as program
from oddsengine.pricing.guards.score_grid import ScoreGuard

#: What the commands import when they are called.
_MODULES: Final = (
    *("app", "check", "emulate", "record", "replay", "watching.watch", "trading.commands", "history.commands"),
    *("roles.archiver", "roles.bridge", "roles.engine", "roles.feeder", "roles.gateway", "roles.run"),
)
_LARGEST: Final = 1 << 20


class Start(msgspec.Struct, tag=True):
    """Asks for a process, whose three streams come with the request. The answer is its id."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str


class Ended(msgspec.Struct, tag=True):
    """Asks for the exit code of a process that has ended."""

    pid: int


def serve(channel: socket.socket) -> list[str] | None:
    """Answer requests. Return None once nobody asks any more, and in a fork the arguments of its command."""
    decoder = msgspec.json.Decoder(Start | Ended)
    while True:
        request, streams, _, _ = socket.recv_fds(channel, _LARGEST, 3)
        if not request:
            return None
        match decoder.decode(request):
            case Ended(pid):
                answer = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            case Start(arguments, environment, folder):
                answer = os.fork()
                if answer == 0:
                    channel.close()
                    _become(environment, folder, streams)
                    return arguments
        for stream in streams:
            os.close(stream)
        channel.send(msgspec.json.encode(answer))


def _become(environment: dict[str, str], folder: str, streams: list[int]) -> None:
    """Make a fork what a new process would be."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.enable()


def main() -> None:
    """Import the commands, and serve. A fork runs its command."""
    # Ctrl-C in a terminal is for whoever runs the tests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in _MODULES:
        importlib.import_module(f"oddsengine.cli.{module}")
    ScoreGuard.load()
    from feeds.feed import installed_feeds

    installed_feeds()
    gc.collect()
    gc.freeze()
    channel = socket.socket(fileno=int(sys.argv[1]))
    arguments = serve(channel)
    if arguments is not None:
        sys.argv = [str(program.__file__), *arguments]
        program.main()


if __name__ == "__main__":
    main()
