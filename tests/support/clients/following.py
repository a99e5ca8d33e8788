"""Clients that are followed: the same test drives the Python client and the npm package in Node."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import pytest

from oddsengine.client import GaveUp, OddsClient, OddsState, Problem, Timing, stream_url
from tests.support.programs.npm import node_problem
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KINDS: Final = ("python", "javascript")
#: The npm package.
PACKAGE: Final = Path(__file__).parents[3] / "packages" / "js"
_DRIVER: Final = Path(__file__).with_name("driver.mjs")
#: Waits before a reconnect are recorded and then cut to this.
_MAX_WAIT_S: Final = 0.02
_POLL_S: Final = 0.02
#: A gateway on a busy machine is not taken for one that does not answer.
_PATIENT: Final = {"first_welcome_s": 10.0, "min_welcome_s": 10.0}


def contents(state: OddsState) -> dict[str, Any]:
    """Return what a state shows."""
    return {"events": dict(state.events), "markets": dict(state.markets), "stale": state.stale}


class View(NamedTuple):
    """The view of a client: what it shows and has done.

    Attributes:
        waits_s: the waits before reconnects.
        problems: code and seconds to the retry (None: no retry) of everything that was reported.
        gave_up: why it has ended; None if it has not.
    """

    connected: bool
    markets: dict[str, Any]
    events: dict[str, Any]
    stale: dict[str, int]
    refused: dict[str, str]
    reconnects: int
    waits_s: list[float]
    problems: list[tuple[str, float | None]]
    tokens_asked: int
    gave_up: str | None

    @property
    def codes(self) -> list[str]:
        """The codes of the problems."""
        return [code for code, _ in self.problems]

    def is_current(self, channels: int = 1) -> bool:
        """Check whether the client is connected and shows the events of so many channels, all of them current."""
        return self.connected and len(self.events) == channels and not self.stale and not self.refused


class Follower(Protocol):
    """A client that is being followed."""

    async def view(self) -> View:
        """Return what it shows and has done."""
        ...


class Options(NamedTuple):
    """Options of a client.

    Attributes:
        tokens: what its token function returns, the last one again and again; "raise" for an error. None: no function.
        timing: fields of `Timing`, in seconds.
    """

    url: str
    channels: Sequence[str]
    tokens: Sequence[str] | None = None
    timing: dict[str, Any] = {}  # noqa: RUF012 - immutable by use
    #: further options of the JavaScript client, as its `transport`
    more: dict[str, Any] = {}  # noqa: RUF012 - immutable by use


async def wait_view(
    follower: Follower, condition: Callable[[View], bool], description: str = "the condition", patience_s: float = PATIENCE_S
) -> View:
    """Wait until what a client shows meets a condition. Return that."""
    view = await follower.view()
    try:
        async with asyncio.timeout(patience_s):
            while not condition(view):
                await asyncio.sleep(_POLL_S)
                view = await follower.view()
    except TimeoutError:
        raise AssertionError(f"{description} did not happen within {patience_s:g} s: {str(view)[:1500]}") from None
    return view


class PythonFollower:
    """The Python client."""

    def __init__(self, options: Options) -> None:
        self._tokens = options.tokens
        self._asked = 0
        self._waits_s: list[float] = []
        self._problems: list[tuple[str, float | None]] = []
        self._gave_up: str | None = None
        self.client = OddsClient(
            options.url,
            options.channels,
            token=None if options.tokens is None else self._token,
            on_problem=self._note,
            sleep=self._sleep,
            timing=Timing(**{**_PATIENT, **options.timing}, draw=lambda _, longest: longest),
        )

    async def run(self) -> None:
        """Follow until cancelled or refused for good."""
        try:
            async for _ in self.client.messages():
                pass
        except GaveUp as error:
            self._gave_up = str(error)
            self._note(error.problem)

    async def view(self) -> View:
        client = self.client
        problems, waits_s = list(self._problems), list(self._waits_s)
        shown = contents(client.state)
        return View(
            client.connected,
            **shown,
            refused=client.refused,
            reconnects=client.reconnects,
            waits_s=waits_s,
            problems=problems,
            tokens_asked=self._asked,
            gave_up=self._gave_up,
        )

    def _note(self, problem: Problem) -> None:
        self._problems.append((problem.code, problem.retry_s))

    async def _token(self) -> str:
        assert self._tokens is not None
        token = self._tokens[min(self._asked, len(self._tokens) - 1)]
        self._asked += 1
        if token == "raise":
            raise RuntimeError("no token today")
        return token

    async def _sleep(self, delay_s: float) -> None:
        self._waits_s.append(delay_s)
        await asyncio.sleep(min(delay_s, _MAX_WAIT_S))


class Node:
    """A Node process that runs the package's clients.

    Args:
        process: the process.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = count()
        self._answers: dict[int, asyncio.Future[Any]] = {}

    async def read(self) -> None:
        """Pass on answers until the process ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            answer = json.loads(line)
            self._answers.pop(answer["id"]).set_result(answer["answer"])
        for pending in self._answers.values():
            pending.set_exception(AssertionError("Node has ended; its standard error output says why"))

    async def ask(self, command: str, **fields: Any) -> Any:
        """Send a command. Return its answer."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "command": command, **fields}).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            return await answer


class JavaScriptFollower:
    """The package's client, in Node."""

    def __init__(self, node: Node, number: int) -> None:
        self._node = node
        self._number = number

    async def start(self, options: Options) -> None:
        """Start the client."""
        timing = {
            name if name == "renew_share" else name.removesuffix("_s") + "_ms": value if name == "renew_share" else value * 1000
            for name, value in {**_PATIENT, **options.timing}.items()
        }
        await self._node.ask(
            "start",
            client=self._number,
            url=stream_url(options.url),
            channels=list(options.channels),
            tokens=None if options.tokens is None else list(options.tokens),
            timing={_camel_case(name): value for name, value in timing.items()},
            more=options.more,
        )

    async def view(self) -> View:
        seen = await self._node.ask("view", client=self._number)
        seen["problems"] = [(code, retry_s) for code, retry_s in seen["problems"]]
        del seen["states"]
        return View(**seen)

    async def stop(self) -> None:
        """Stop the client."""
        await self._node.ask("stop", client=self._number)


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


@asynccontextmanager
async def running_node() -> AsyncIterator[Node]:
    """Run Node with the modules of the package. Skips the test if it is not installed, or too old."""
    if problem := node_problem():
        pytest.skip(problem)
    async with _node() as node:
        yield node


def node_command() -> list[str]:
    """Return the command that runs the driver."""
    return ["node", "--experimental-websocket", "--no-warnings", str(_DRIVER), str(PACKAGE / "src")]


@asynccontextmanager
async def _node() -> AsyncIterator[Node]:
    process = await asyncio.create_subprocess_exec(
        *node_command(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    node = Node(process)
    reading = asyncio.create_task(node.read())
    try:
        yield node
    finally:
        assert process.stdin is not None
        process.stdin.close()
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


class Followers:
    """Clients of one kind."""

    def __init__(self, node: Node | None) -> None:
        self._node = node
        self._numbers = count()

    @asynccontextmanager
    async def follow(self, options: Options) -> AsyncIterator[Follower]:
        """Follow one client."""
        if self._node is None:
            python = PythonFollower(options)
            task = asyncio.create_task(python.run())
            try:
                yield python
                if task.done():
                    await task
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        else:
            page = JavaScriptFollower(self._node, next(self._numbers))
            await page.start(options)
            try:
                yield page
            finally:
                await page.stop()


@asynccontextmanager
async def followers(kind: str) -> AsyncIterator[Followers]:
    """Make it possible to follow clients of a kind."""
    if kind == "python":
        yield Followers(None)
        return
    async with running_node() as node:
        yield Followers(node)
