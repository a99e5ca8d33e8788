"""The application's interface: following channels of a gateway, and asking its HTTP API."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from oddsengine.client.connection.stream import Run, Stream
from oddsengine.client.http.api import GatewayApi
from oddsengine.client.recovery import Timing
from oddsengine.client.subscriptions import Subscriptions, options_of
from oddsengine.client.tokens import Tokens

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
    from types import TracebackType

    from oddsengine.client.errors import Problem
    from oddsengine.client.state import OddsState


class OddsClient:
    """Follows channels of one gateway, and asks its HTTP API. Use it as a context manager and iterate over it.

    The connection is made by the first iteration. It outlives the loop, so that the next one goes on where it was left, and is
    closed at the end of the block. `messages` is another way, which needs no block.

    Args:
        url: the stream's URL, `ws://host:port/v1/stream`; `http://host:port` and `host:port` are completed to it.
        channels: the channels to subscribe to at first, or a single one.
        min_interval_ms: the shortest time between two updates of a channel.
        odds_format: the format of prices.
        token: returns the token, at once or as an awaitable; called for each connection, before a token expires, and after one
            was refused. None where none is required.
        on_problem: called with everything that keeps the client from current data; it may raise to end `messages`. None logs a
            warning when something begins to.
        ssl: the TLS context for `wss:` URLs, as for a private authority; None for the system's certificates.
        sleep: waits before a reconnect, seconds.
        timing: how long to wait for what.

    Raises:
        ValueError: if the URL is not one of a gateway.
    """

    def __init__(  # noqa: PLR0913 - each is an option
        self,
        url: str,
        channels: str | Sequence[str] = (),
        *,
        min_interval_ms: int = 0,
        odds_format: str = "decimal",
        token: Callable[[], str | Awaitable[str]] | None = None,
        on_problem: Callable[[Problem], None] | None = None,
        ssl: ssl.SSLContext | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timing: Timing = Timing(),  # noqa: B008 - immutable
    ) -> None:
        self._options = min_interval_ms, odds_format
        self._subscriptions = Subscriptions(channels, options_of(*self._options), timing)
        self._stream = Stream(url, self._subscriptions, Tokens(token, timing), on_problem, ssl, sleep, timing)
        #: the HTTP API of the same gateway, with a token of the same function; within the block
        self.api = GatewayApi(url, token=token, ssl=ssl)
        #: the connection of the block; None outside of it
        self._run: Run | None = None
        #: what ends the wait for the next message; None while nobody waits
        self._waiting: asyncio.Timeout | None = None
        self._is_iterated = False

    @property
    def url(self) -> str:
        """The stream's URL."""
        return self._stream.url

    @property
    def state(self) -> OddsState:
        """Return what is on offer, and which channels may be out of date."""
        return self._stream.state

    @property
    def connected(self) -> bool:
        """Return whether there is a connection."""
        return self._stream.connected

    @property
    def problem(self) -> Problem | None:
        """The last thing that kept the client from current data; None once it has a connection again."""
        return self._stream.problem

    @property
    def reconnects(self) -> int:
        """Return how often a connection has ended or could not be made."""
        return self._stream.reconnects

    @reconnects.setter
    def reconnects(self, count: int) -> None:
        self._stream.reconnects = count

    @property
    def channels(self) -> list[str]:
        """The channels that the client follows."""
        return self._subscriptions.channels

    @property
    def at(self) -> dict[str, str]:
        """The last `at` received on each channel."""
        return self._subscriptions.at

    @property
    def resumed(self) -> int:
        """The number of times that a channel was resumed with a diff."""
        return self._subscriptions.resumed

    @property
    def refused(self) -> dict[str, str]:
        """The channels that the gateway refuses, and why. They are asked for again as the table in docs/protocol.md says."""
        return {channel: refusal.text for channel, refusal in self._subscriptions.refused.items()}

    async def __aenter__(self) -> Self:
        await self.api.__aenter__()
        self._run = Run()
        self.state.expect(self.channels)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        run, self._run = self._run, None
        try:
            if self._waiting is not None:
                # Another task still iterates: its loop ends.
                self._waiting.reschedule(0.0)
            while self._waiting is not None:  # noqa: ASYNC110 - it ends within the next turns of the loop
                await asyncio.sleep(0)
            if run is not None:
                await self._stream.close(run)
        finally:
            await self.api.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        """Return the next message after applying it to `state`; reconnects and resumes as long as it takes.

        May be cancelled: then the connection stays, and no message is lost.

        Raises:
            GaveUp: a ValueError, if the gateway refuses the client in a way that a retry cannot fix.
        """
        run = self._run
        if run is None:
            raise RuntimeError("iterate over a client within `async with`")
        if self._is_iterated:
            raise RuntimeError("another task iterates over this client")
        self._is_iterated = True
        try:
            return await self._next_message(run)
        except TimeoutError:
            if self._run is run:
                raise
            raise StopAsyncIteration from None
        except Exception:
            await self._stream.close(run)
            raise
        finally:
            self._is_iterated = False

    async def _next_message(self, run: Run) -> dict[str, Any]:
        """Return the next message. Raises TimeoutError if the block is left meanwhile."""
        try:
            async with asyncio.timeout(None) as self._waiting:
                return await self._stream.next_message(run)
        finally:
            self._waiting = None

    async def messages(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield every message after applying it to `state`. Reconnects and resumes until cancelled, or no longer iterated.

        Raises:
            GaveUp: a ValueError, if the gateway refuses the client in a way that a retry cannot fix.
        """
        self.state.expect(self.channels)
        run = Run()
        try:
            while True:
                yield await self._stream.next_message(run)
        finally:
            await self._stream.close(run)

    async def subscribe(
        self, channels: str | Iterable[str], *, min_interval_ms: int | None = None, odds_format: str | None = None
    ) -> None:
        """Follow channels too, from now on. No-op for those that are followed with the same options; others start over.

        Args:
            channels: one or several.
            min_interval_ms: the shortest time between two updates; None for that of the client.
            odds_format: the format of prices; None for that of the client.
        """
        interval_ms, default_format = self._options
        interval_ms = interval_ms if min_interval_ms is None else min_interval_ms
        options = options_of(interval_ms, default_format if odds_format is None else odds_format)
        self.state.expect(self._subscriptions.add([channels] if isinstance(channels, str) else channels, options))
        await self._stream.send_now()

    async def unsubscribe(self, channels: str | Iterable[str]) -> None:
        """Follow channels no more. Nothing of them is shown any more, and no message of them is returned that still arrives.

        Args:
            channels: one or several; others than those that are followed are ignored.
        """
        for channel in self._subscriptions.remove([channels] if isinstance(channels, str) else channels):
            self.state.drop(channel)
        await self._stream.send_now()
