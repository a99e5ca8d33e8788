"""What the parent of workers says and does, without processes."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any

from oddsengine.runtime.processes.front import Front, bind_shared
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.processes.workers import Worker, WorkerNotStarted


def test_a_worker_that_could_not_start_has_said_why_itself() -> None:
    """Its exit code is that of two steps, so the parent gives it on and blames neither."""
    problem = WorkerNotStarted(Step.CONNECT)
    assert "a worker could not start, see its error above" == str(problem)
    assert Step.IDENTIFY.exit_code == problem.step.exit_code


def test_a_worker_that_starts_or_leaves_may_be_silent_for_longer() -> None:
    no_process: Any = None
    worker = Worker(0, no_process, no_process, 0.0)
    assert 60.0 == worker.limit_s(5.0)
    worker.has_sent_heartbeat = True
    assert 60.0 == worker.limit_s(5.0), "it reports while it starts too"
    worker.ready.set()
    assert 5.0 == worker.limit_s(5.0)
    worker.leaving = True
    assert 15.0 == worker.limit_s(5.0)


def test_connections_come_only_to_workers_that_listen() -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))
    with ExitStack() as stack:
        own, shared = bind_shared([address], 2)
        ours, starting, serving = (stack.enter_context(each) for (each,) in (own, *shared))

        def come(count: int) -> None:
            for _ in range(count):
                stack.enter_context(socket.create_connection(starting.getsockname(), timeout=30.0))

        def accepted(listening: socket.socket, count: int) -> None:
            for _ in range(count):
                stack.enter_context(listening.accept()[0])

        ours.settimeout(30.0)
        come(8)
        accepted(ours, 8)
        Front([serving]).listen()
        ours.close()
        serving.settimeout(30.0)
        Front([serving]).listen()  # again, as a worker does that is started on a dead one's sockets
        come(8)
        accepted(serving, 8)
