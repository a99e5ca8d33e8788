"""A real Redis in a thread of its own, for tests that share one and for code without an event loop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from oddsengine.streams.embedded import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def redis_in_thread() -> Iterator[str]:
    """Run a server. Yield its URL."""
    urls: list[str] = []
    errors: list[BaseException] = []
    started, ended = threading.Event(), threading.Event()

    async def run() -> None:
        async with EmbeddedRedis() as server:
            urls.append(server.url)
            started.set()
            await asyncio.to_thread(ended.wait)

    def run_loop() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            errors.append(error)
            started.set()

    thread = threading.Thread(target=run_loop, name="redis")
    thread.start()
    started.wait()
    try:
        if errors:
            raise errors[0]
        yield urls[0]
    finally:
        ended.set()
        thread.join()


class SharedRedis:
    """The server that the tests of a process share, each with its own namespace. It is started by the first one."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._url = ""
        self._namespaces = 0

    def url(self) -> str:
        """Return the URL. Start the server if it is not running."""
        if not self._url:
            self._url = self._stack.enter_context(redis_in_thread())
        return self._url

    def new_namespace(self) -> str:
        """Return a namespace that no other test uses."""
        self._namespaces += 1
        return f"test{self._namespaces}"

    def close(self) -> None:
        """Stop the server. No-op if it was never started."""
        self._url = ""
        self._stack.close()


shared_redis = SharedRedis()
