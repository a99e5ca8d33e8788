"""Keeps worker processes running that share a port, as one service: one set of metrics, one reload, one stop.

A worker listens once it serves; until the first one does, the parent answers that the service is starting. Twice a second a
worker reports to its parent that its event loop runs. One that falls silent is killed and replaced, one that ends is started
again. Its sockets stay open in the parent, so connections wait for it meanwhile. A reload that needs new processes starts each
new worker before it drains the old one.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from math import inf
from typing import TYPE_CHECKING, Any, Final

import structlog

from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.processes.control import (
    Alive,
    AllSamples,
    Channel,
    CollectSamples,
    Reload,
    SendSamples,
    SkipPause,
    WorkerSamples,
    pack,
    unpack,
)
from oddsengine.runtime.processes.startup import EXIT_FAILED, StartFailed, Step
from oddsengine.runtime.telemetry.metrics import counted, merge
from oddsengine.runtime.telemetry.process_samples import process_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.telemetry.metrics import Sample

#: A worker that exits is restarted after a delay, which doubles while workers exit soon after their start.
_RESTART_START_S: Final = 0.2
_RESTART_CEILING_S: Final = 5.0
_STABLE_AFTER_S: Final = 10.0
#: Longer than a worker takes to drain.
_DRAIN_TIMEOUT_S: Final = 15.0
#: How long a worker may take until it first reports that it runs.
_START_TIMEOUT_S: Final = 60.0
#: How long connections wait for a worker that is started again, before they are answered with 503.
_WAIT_S: Final = 5.0
_SAMPLES_TIMEOUT_S: Final = 0.5
_CHECK_S: Final = 0.5
_log = structlog.get_logger(__name__)


class WorkerNotStarted(StartFailed):
    """A worker that could not start, and has logged why itself.

    Its exit code may be that of several steps, so neither a step nor what to do is named again.

    Args:
        step: one with that exit code.
    """

    def __init__(self, step: Step) -> None:
        reason = "a worker could not start, see its error above"
        super().__init__(step, reason)
        self.args = (reason,)


class Worker:
    """A worker process.

    Args:
        number: which of the workers it is.
        process: the process.
        channel: leads to it.
        now_s: when it was started.
    """

    def __init__(self, number: int, process: asyncio.subprocess.Process, channel: Channel, now_s: float) -> None:
        self.number = number
        self.process = process
        self.channel = channel
        self.started_s = now_s
        self.last_heartbeat_s = now_s
        self.has_sent_heartbeat = False
        self.ready = asyncio.Event()
        self.samples: list[Sample] = []
        self.answers: dict[int, asyncio.Future[None]] = {}
        self.frozen = False
        #: it has closed its end of the channel, and is about to end
        self.leaving = False

    def limit_s(self, timeout_s: float) -> float:
        """Return how long the worker may be silent now, if it may be for `timeout_s` while it serves.

        One that does not serve yet is not replaced sooner for that: on a busy machine its successor would have to start anew.
        """
        if self.leaving:
            return max(_DRAIN_TIMEOUT_S, timeout_s)
        return timeout_s if self.ready.is_set() else max(_START_TIMEOUT_S, timeout_s)


class Workers:
    """The workers of a service.

    Args:
        arguments: of the `oddsengine` command that each runs. `--listen-fd` and `--control-fd` are added.
        sockets: what each listens on once it serves; they stay open here.
        timeout_s: how long a worker may be silent before it is replaced.
        inherited: more file descriptors that each gets.
        startup: is as far as the worker that was heard last, until the first one serves.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        sockets: Sequence[Sequence[socket.socket]],
        timeout_s: float,
        inherited: Sequence[int],
        startup: Startup,
    ) -> None:
        self._startup = startup
        self._arguments = arguments
        self._inherited = inherited
        self._sockets = sockets
        self._timeout_s = timeout_s
        self._workers: set[Worker] = set()
        self._replace = [asyncio.Event() for _ in sockets]
        #: what workers that have ended had counted
        self._ended: list[Sample] = []
        self._restarts = {"exited": 0, "frozen": 0, "reload": 0}
        self._requests = 0
        self._collecting: set[asyncio.Task[None]] = set()
        self._replacing = asyncio.Lock()
        #: how long a worker that is asked to stop may serve on before it drains
        self.drain_delay_s = 0.0
        #: set once the first worker serves
        self.serving = asyncio.Event()
        #: the numbers of those that have served: connections come to their sockets, also while nobody accepts them
        self._listening: set[int] = set()

    async def run(self) -> None:
        """Keep the workers running. When cancelled, let them drain."""
        tasks = [asyncio.create_task(self._keep_running(number), name=f"worker-{number}") for number in range(len(self._sockets))]
        try:
            await asyncio.gather(*tasks)
        finally:
            await _end(tasks)

    def reload(self) -> None:
        """Ask every worker to load its config again."""
        for worker in self._workers:
            worker.channel.send(Reload())

    def skip_pause(self) -> None:
        """Ask every worker that is about to stop not to pause before it."""
        for worker in self._workers:
            worker.channel.send(SkipPause())

    def replace(self) -> None:
        """Replace every worker with a new process, each as soon as the new one serves."""
        for event in self._replace:
            event.set()

    async def samples(self) -> list[Sample]:
        """Return the metrics of all workers as those of one process."""
        self._requests += 1
        request = self._requests
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.Future[None]] = []
        for worker in self._workers:
            if worker.has_sent_heartbeat:
                worker.answers[request] = answer = loop.create_future()
                waiting.append(answer)
                worker.channel.send(SendSamples(request))
        if waiting:
            await asyncio.wait(waiting, timeout=_SAMPLES_TIMEOUT_S)
        for worker in self._workers:
            worker.answers.pop(request, None)
        of_workers = (worker.samples for worker in self._workers)
        return [*merge([self._ended, *of_workers, process_samples()]), *self._own_samples()]

    def _own_samples(self) -> Iterator[Sample]:
        yield "oddsengine_workers", (), sum(worker.ready.is_set() and not worker.frozen for worker in self._workers)
        for reason, count in self._restarts.items():
            yield "oddsengine_worker_restarts_total", (reason,), count

    # -- one worker -------------------------------------------------------------------------------------------------

    async def _keep_running(self, number: int) -> None:
        """Run a worker, and another one whenever it ends."""
        loop = asyncio.get_running_loop()
        delay_s = _RESTART_START_S
        current = asyncio.create_task(self._run(number))
        leaving: set[asyncio.Task[Worker]] = set()
        try:
            while True:
                replace = asyncio.create_task(self._replace[number].wait())
                await asyncio.wait({current, replace}, return_when=asyncio.FIRST_COMPLETED)
                await end_tasks([replace])
                if not current.done():
                    self._replace[number].clear()
                    current, left = await self._start_another(number, current)
                    leaving = {task for task in (*leaving, left) if not task.done()}
                    continue
                try:
                    worker = current.result()
                except OSError as error:
                    _log.error("worker not started, retrying", worker=number, error=str(error), in_s=_RESTART_CEILING_S)
                    await asyncio.sleep(_RESTART_CEILING_S)
                    current = asyncio.create_task(self._run(number))
                    continue
                self._check_start(worker)
                reason = "frozen" if worker.frozen else "exited"
                self._restarts[reason] += 1
                if loop.time() - worker.started_s > _STABLE_AFTER_S:
                    delay_s = _RESTART_START_S
                status = worker.process.returncode
                _log.error("worker exited, restarting", worker=number, status=status, reason=reason, in_s=delay_s)
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, _RESTART_CEILING_S)
                current = asyncio.create_task(self._run(number))
        finally:
            await _end([current, *leaving])

    async def _start_another(
        self, number: int, current: asyncio.Task[Worker]
    ) -> tuple[asyncio.Task[Worker], asyncio.Task[Worker]]:
        """Start a worker beside the current one, and drain that once the new one serves. Return the one that stays first."""
        async with self._replacing:
            return await self._start_beside(number, current)

    async def _start_beside(
        self, number: int, current: asyncio.Task[Worker]
    ) -> tuple[asyncio.Task[Worker], asyncio.Task[Worker]]:
        started: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
        another = asyncio.create_task(self._run(number, started))
        try:
            serving = asyncio.create_task(_serves(started))
            await asyncio.wait({serving, another}, timeout=_START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            is_ready = serving.done()
            await end_tasks([serving])
        except BaseException:
            await _end([another])
            raise
        if is_ready:
            self._restarts["reload"] += 1
            # Its successor accepts on the same sockets: nobody has to be sent elsewhere first.
            for worker in self._workers:
                if worker.number == number and worker is not started.result():
                    worker.channel.send(SkipPause())
            current.cancel()
            return another, current
        _log.error("new worker does not serve, keeping the old one", worker=number)
        another.cancel()
        return current, another

    def _check_start(self, worker: Worker) -> None:
        """Raise StartFailed if the service has never been ready, and its worker could not start."""
        if not self.serving.is_set():
            for step in Step:
                if step.exit_code > EXIT_FAILED and step.exit_code == worker.process.returncode:
                    raise WorkerNotStarted(step)

    async def _run(self, number: int, started: asyncio.Future[Worker] | None = None) -> Worker:
        """Run a worker until it ends. When cancelled, let it drain.

        Args:
            number: which of the workers it is.
            started: gets it once its process runs; another worker then accepts on its sockets until it serves. None if there
                is none.
        """
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        listening = [each.fileno() for each in self._sockets[number]]
        with ours, theirs:
            command = [sys.executable, "-m", "oddsengine", *self._arguments]
            command += ["--listen-fd", ",".join(map(str, listening)), "--control-fd", str(theirs.fileno())]
            waits_alone = started is None and number in self._listening
            command += ["--silent-s", str(_WAIT_S if waits_alone else inf)]
            process = await asyncio.create_subprocess_exec(*command, pass_fds=[*listening, theirs.fileno(), *self._inherited])
            theirs.close()
            channel = await Channel.open(ours)
            worker = Worker(number, process, channel, loop.time())
            self._workers.add(worker)
            if started is not None:
                started.set_result(worker)
            receiving, watching = asyncio.create_task(self._listen(worker)), asyncio.create_task(self._watch(worker))
            try:
                await process.wait()
            except asyncio.CancelledError:
                # Draining has a time limit of its own.
                await end_tasks([watching])
                await _drain(worker, self.drain_delay_s + _DRAIN_TIMEOUT_S)
                raise
            finally:
                self._workers.discard(worker)
                self._ended = merge([self._ended, counted(worker.samples)])
                await end_tasks([receiving, watching])
                channel.close()
        return worker

    async def _listen(self, worker: Worker) -> None:
        while (message := await worker.channel.receive()) is not None:
            match message:
                case Alive():
                    worker.last_heartbeat_s, worker.has_sent_heartbeat = asyncio.get_running_loop().time(), True
                    self._note(worker, Step[message.step], message.waiting_for)
                case WorkerSamples():
                    worker.samples = unpack(message)
                    if (answer := worker.answers.pop(message.request, None)) is not None and not answer.done():
                        answer.set_result(None)
                case CollectSamples():
                    # Not awaited here: the worker's own samples come over this channel.
                    collecting = asyncio.create_task(self._answer(worker, message.request))
                    self._collecting.add(collecting)
                    collecting.add_done_callback(self._collecting.discard)
                case _:
                    pass
        worker.last_heartbeat_s, worker.leaving = asyncio.get_running_loop().time(), True

    def _note(self, worker: Worker, step: Step, waiting_for: str) -> None:
        """Note how far the start of a worker is."""
        if step is Step.READY:
            self._listening.add(worker.number)
            worker.ready.set()
            self.serving.set()
        elif not self.serving.is_set():
            self._startup.step, self._startup.waiting_for = step, waiting_for

    async def _answer(self, worker: Worker, request: int) -> None:
        worker.channel.send(AllSamples(pack(request, await self.samples())))

    async def _watch(self, worker: Worker) -> None:
        """Kill a worker that is silent for too long."""
        loop = asyncio.get_running_loop()
        checked_s = loop.time()
        while True:
            await asyncio.sleep(_CHECK_S)
            now_s = loop.time()
            # Where this process was suspended itself, the worker gets that time too.
            worker.last_heartbeat_s += max(0.0, now_s - checked_s - 2 * _CHECK_S)
            checked_s = now_s
            limit_s = worker.limit_s(self._timeout_s)
            if now_s - worker.last_heartbeat_s > limit_s:
                worker.frozen = True
                _log.error("worker frozen, replacing it", worker=worker.number, pid=worker.process.pid, silent_s=limit_s)
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()
                return


async def _serves(started: asyncio.Future[Worker]) -> None:
    await (await started).ready.wait()


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel workers once, and wait until they have drained: each has a time limit of its own."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _drain(worker: Worker, timeout_s: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(timeout_s):
            await worker.process.wait()
    except TimeoutError:
        _log.error("worker did not drain in time, killing it", pid=worker.process.pid, timeout_s=timeout_s)
        worker.process.kill()
        await worker.process.wait()
