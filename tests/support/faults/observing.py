"""What emulated providers quoted, and what a subscriber saw of it."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from oddsengine.client import OddsClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from feeds.emulators.core.market_model import ModelMarket
    from feeds.emulators.emulator import Emulator

_TICK_WATCH_S: Final = 0.01
_TICKS_KEPT: Final = 2_000
#: The kinds of markets that each adapter offers.
OFFERED: Final[dict[str, frozenset[str]]] = {
    "betfair": frozenset({"result", "total", "both"}),
    "theoddsapi": frozenset({"result", "total", "handicap"}),
    "pinnacle": frozenset({"result", "total", "handicap"}),
    "opticodds": frozenset({"result", "total", "handicap", "both"}),
    "oddsapiio": frozenset({"result", "total", "handicap", "both"}),
}
_KINDS: Final = {"match_odds": "result", "total": "total", "asian_handicap": "handicap", "both_to_score": "both"}


class MarketKey(NamedTuple):
    """A market regardless of its provider and id: the name of the home side, the kind and the line."""

    home: str
    kind: str
    line: float | None


class Observation(NamedTuple):
    """A market as the subscriber received it, when (monotonic seconds), and its implied probabilities; None if it is not open."""

    at_s: float
    implied: dict[str, float] | None
    reason: str | None


class Subscriber:
    """A subscriber that records every market it receives.

    Args:
        base: the URL of the gateway.
        clock: monotonic seconds.
    """

    def __init__(self, base: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.client = OddsClient(base, ["sport:football"])
        self.observations: dict[MarketKey, list[Observation]] = {}

    async def run(self) -> None:
        """Record until cancelled."""
        async for message in self.client.messages():
            self.check(message)
            if message["op"] in {"snapshot", "delta"}:
                now_s = self.clock()
                for change in message.get("markets", ()):
                    if not change.get("removed"):
                        self._record(self.client.state.markets[change["id"]], now_s)

    def check(self, message: dict[str, Any]) -> None:
        """Check a message that was applied. This one accepts any."""

    def key_of(self, market: dict[str, Any]) -> MarketKey | None:
        """Return the key of a market that was received; None if no provider here has such markets."""
        event = self.client.state.events.get(market["event"])
        if event is None or not event["participants"] or market["type"] not in _KINDS:
            return None
        return MarketKey(event["participants"][0], _KINDS[market["type"]], market["line"])

    def _record(self, market: dict[str, Any], now_s: float) -> None:
        key = self.key_of(market)
        if key is None:
            return
        prices = {key: selection["price"] for key, selection in market["selections"].items()}
        implied = None
        if market["status"] == "open" and all(prices.values()):
            total = sum(1 / price for price in prices.values())
            implied = {key: 1 / price / total for key, price in prices.items()}
        self.observations.setdefault(key, []).append(Observation(now_s, implied, market["reason"]))

    def at(self, key: MarketKey, at_s: float) -> Observation | None:
        """Return the observation of a market that was current at a time."""
        return next((seen for seen in reversed(self.observations.get(key, ())) if seen.at_s <= at_s), None)

    def discard_before(self, at_s: float) -> None:
        """Discard the observations before a time, except the last one of each market."""
        for key, observations in self.observations.items():
            kept = [seen for seen in observations if seen.at_s >= at_s]
            last = next((seen for seen in reversed(observations) if seen.at_s < at_s), None)
            self.observations[key] = kept if last is None else [last, *kept]


class Providers:
    """Emulated providers, and when they quoted what.

    Args:
        emulators: by feed.
        clock: monotonic seconds.
    """

    def __init__(self, emulators: Mapping[str, Emulator], clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.emulators = emulators
        #: feed -> tick -> when it was seen, monotonic seconds
        self.tick_times_s: dict[str, dict[int, float]] = {name: {} for name in emulators}

    def model_markets(self, name: str) -> dict[MarketKey, ModelMarket]:
        """Return the markets that a provider offers through its adapter."""
        return {
            MarketKey(event.home, market.kind, market.line): market
            for event in self.emulators[name].market_model.events
            for market in event.markets
            if market.kind in OFFERED[name]
        }

    def pause(self, *, paused: bool) -> None:
        """Freeze every market model, or resume it."""
        for emulator in self.emulators.values():
            emulator.pause(paused=paused)

    def was_quoted(
        self, name: str, market: ModelMarket | None, seen: Observation, at_s: float, age_s: float, tolerance: float
    ) -> bool:
        """Return whether a provider quoted what the subscriber saw, at any time in the `age_s` seconds before `at_s`."""
        if market is None or seen.implied is None:
            return False
        return self.left_s(name, market, partial(is_near, other=seen.implied, tolerance=tolerance)) >= at_s - age_s

    def left_s(self, name: str, market: ModelMarket, is_quoted: Callable[[dict[str, float] | None], bool]) -> float:
        """Return until when a provider quoted something; before all that is known of it if it never did.

        Args:
            name: the provider's feed.
            market: its market.
            is_quoted: checks whether probabilities of the market are what is asked about.
        """
        tick_times_s = self.tick_times_s[name]
        until_s = float("inf")
        for move in reversed(market.moves):
            if is_quoted(move.probabilities):
                return until_s
            # Ticks may be seen late, or not at all: the move ended at the next tick that was seen, at the latest.
            until_s = next((tick_times_s[tick] for tick in range(move.tick, move.tick + 50) if tick in tick_times_s), until_s)
        return min(until_s, next(iter(tick_times_s.values()), until_s))

    async def watch_ticks(self) -> None:
        """Record the time of every tick, until cancelled."""
        while True:
            now_s = self.clock()
            for name, emulator in self.emulators.items():
                ticks = emulator.market_model.ticks
                self.tick_times_s[name].setdefault(ticks, now_s)
                self.tick_times_s[name].pop(ticks - _TICKS_KEPT, None)
            await asyncio.sleep(_TICK_WATCH_S)


def is_near(one: dict[str, float] | None, other: dict[str, float], tolerance: float) -> bool:
    """Return whether two sets of probabilities are equal except for margins and rounding."""
    return one is not None and one.keys() == other.keys() and all(abs(one[key] - other[key]) <= tolerance for key in one)
