"""What the parent of workers says and does, without processes."""

from __future__ import annotations

from typing import Any

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
    assert 5.0 == worker.limit_s(5.0)
    worker.leaving = True
    assert 15.0 == worker.limit_s(5.0)
