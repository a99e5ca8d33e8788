"""What the parent of workers says and does, without processes."""

from __future__ import annotations

from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.processes.workers import WorkerNotStarted


def test_a_worker_that_could_not_start_has_said_why_itself() -> None:
    """Its exit code is that of two steps, so the parent gives it on and blames neither."""
    problem = WorkerNotStarted(Step.CONNECT)
    assert "a worker could not start, see its error above" == str(problem)
    assert Step.IDENTIFY.exit_code == problem.step.exit_code
