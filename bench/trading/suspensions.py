"""Delays of a suspension to the subscribers of every brand: a person's, at each level, beside a provider's in the same run.

Engine, Redis, gateway and the subscribers of two brands share this process, for both alike. A provider's suspension begins where
its feed passes it to the engine; a person's with the HTTP request, so it includes what stores the command. Rounds alternate.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from bench.reporting.progress import report_progress
from bench.reporting.row import Row
from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.commands.settings import CommandSettings
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import quick_settings, running_service, shared_redis

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.service import RunningService, Socket

_MARKETS: Final = 1000
_ROUNDS: Final = 5
_LASTS_S: Final = 3600.0
_CHANNEL: Final = "sport:football"
_BRANDS: Final = ("default", "gold")
#: level -> the scope of its command, and how many markets that has
_LEVELS: Final[dict[str, tuple[dict[str, Any], int]]] = {
    "selection": ({"selection": "e0/moneyline/home"}, 1),
    "market": ({"market": "e0/moneyline"}, 1),
    "event": ({"event": "e0"}, 1),
    "competition": ({"competition": "cup"}, _MARKETS),
    "sport": ({"sport": "football"}, _MARKETS),
    "all": ({"all": True}, _MARKETS),
}
#: How much longer a person's may take than a provider's.
_GOAL: Final = 2.0
#: What storing a command may take where a suspension takes next to nothing, milliseconds.
_STORED_MS: Final = 10.0


class _Brand:
    """A subscriber of one brand, which knows what has no price for it."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self.closed: set[str] = set()
        self.changed = asyncio.Event()

    async def run(self) -> None:
        async for received in self._socket.connection:
            for market in orjson.loads(received).get("markets", ()):
                selections = market.get("selections", {})
                price = selections.get("home", {}).get("price", 0)
                if price is None:
                    self.closed.add(market["id"])
                elif price:
                    self.closed.discard(market["id"])
            self.changed.set()


class _Floor:
    """The service, what its provider says, and who commands it."""

    def __init__(self, service: RunningService, brands: list[_Brand]) -> None:
        self._service = service
        self._brands = brands
        self._headers = {"Authorization": f"Bearer {a_token(sub='ann', role='trader', lasts_s=_LASTS_S)}"}

    async def until_closed(self, count: int) -> None:
        """Wait until this many markets have no price for any brand."""
        for brand in self._brands:
            while len(brand.closed) != count:
                brand.changed.clear()
                await brand.changed.wait()

    def provider_says(self, status: str, count: int) -> None:
        definitions = (a_definition(f"e{number}/moneyline", status=status) for number in range(count))
        self._service.feed(*(MarketUpdate(f"m{number}", definition=each) for number, each in enumerate(definitions)))

    async def command(self, scope: dict[str, Any]) -> str:
        body = orjson.dumps({"action": "suspend", "scope": scope})
        async with self._service.http.post(self._service.base + "/v1/commands", data=body, headers=self._headers) as response:
            return str(orjson.loads(await response.read())["id"])

    async def lift(self, key: str) -> None:
        async with self._service.http.delete(f"{self._service.base}/v1/commands/{key}", headers=self._headers) as response:
            response.raise_for_status()

    async def timed(self, suspend: Callable[[], Awaitable[Any]], count: int) -> tuple[float, Any]:
        """Return how many milliseconds a suspension took to the last of all brands, and what it returned."""
        began_s = time.perf_counter()
        made = asyncio.ensure_future(suspend())
        await self.until_closed(count)
        return (time.perf_counter() - began_s) * 1000, await made

    async def compare(self, scope: dict[str, Any], count: int) -> tuple[float, float]:
        """Return the medians of a provider's and of a person's suspensions."""
        provider: list[float] = []
        person: list[float] = []

        async def by_provider() -> None:
            self.provider_says("suspended", count)

        for _ in range(_ROUNDS):
            elapsed_ms, _ = await self.timed(by_provider, count)
            provider.append(elapsed_ms)
            self.provider_says("open", count)
            await self.until_closed(0)
            elapsed_ms, key = await self.timed(lambda: self.command(scope), count)
            person.append(elapsed_ms)
            await self.lift(key)
            await self.until_closed(0)
        return statistics.median(provider), statistics.median(person)


async def _measure(folder: Path) -> dict[str, tuple[float, float]]:
    key = KeySettings(algorithm="HS256", file=write_key(folder / "secret", SECRET))
    profiles = {name: Profile() for name in _BRANDS}
    settings = quick_settings(auth=AuthSettings(keys=(key,)), profiles=profiles)
    settings = msgspec.structs.replace(settings, commands=CommandSettings(per_s=0))
    async with running_service(settings) as service, AsyncExitStack() as stack:
        for number in range(_MARKETS):
            definition = a_definition(f"e{number}/moneyline")
            service.feed(*market_updates(definition, a_quote("home", 2.0), a_quote("away", 2.0), source_id=f"m{number}"))
        await service.wait_published()
        brands: list[_Brand] = []
        for name in _BRANDS:
            token = a_token(sub=name, role="subscriber", profile=name, lasts_s=_LASTS_S)
            socket = await stack.enter_async_context(service.socket(additional_headers={"Authorization": f"Bearer {token}"}))
            await socket.subscribe(_CHANNEL)
            brands.append(_Brand(socket))
        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(brand.run()) for brand in brands]
            floor = _Floor(service, brands)
            found = {level: await floor.compare(scope, count) for level, (scope, count) in _LEVELS.items()}
            for task in reading:
                task.cancel()
        return found


def run() -> list[Row]:
    """Compare suspensions by a person at each level with a provider's of as many markets."""
    report_progress("suspensions by a person and by a provider")
    with TemporaryDirectory() as folder, closing(shared_redis):
        found = asyncio.run(_measure(Path(folder)))
    rows = []
    for level, (provider_ms, person_ms) in found.items():
        markets = _LEVELS[level][1]
        row = Row(scenario="suspension", metric=f"by a person, {level} ({markets:,} markets)", value=person_ms, unit="ms, median")
        row.reference, row.ratio, row.goal = f"by a provider ({provider_ms:.1f} ms)", person_ms / provider_ms, _GOAL
        row.met = row.ratio <= _GOAL or person_ms <= _STORED_MS
        rows.append(row)
    return rows
