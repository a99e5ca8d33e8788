"""An installation for fault scenarios: emulated providers, real feeds, a whole service, and a subscriber that records it."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from feeds.emulators.core.faults import ONCE
from feeds.emulators.core.market_model import MarketModel
from feeds.emulators.emulator import load_emulator
from feeds.feed import installed_feeds
from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState
from oddsengine.client import OddsClient
from oddsengine.common.tasks import end_tasks
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.runtime.feed_runner import feed_sources, open_feeds, run_feeds
from oddsengine.runtime.processes.startup import Startup
from oddsengine.runtime.service import run_service
from oddsengine.runtime.settings import EngineSettings, FeedSettings, GatewaySettings, Settings
from tests.support.credentials import Certificates
from tests.support.service import wait_until

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from feeds.emulators.core.market_model import ModelMarket
    from feeds.emulators.emulator import Emulator
    from feeds.supervision.supervisor import Supervisor
    from oddsengine.runtime.service import Service
    from oddsengine.sourcing.source_selector import SourcingRule

_TICK_WATCH_S: Final = 0.01
_TICKS_KEPT: Final = 2_000
#: Limits as short as can be distinguished, so that a fault takes seconds.
QUICK: Final = Supervision(
    connect_timeout_s=1.0,
    recovery_timeout_s=20.0,
    quiet_in_play_s=2.0,
    quiet_s=2.0,
    lag_limit_s=1.0,
    backoff_start_s=0.05,
    backoff_ceiling_s=0.3,
    breaker_failures=1_000,
    breaker_probe_s=0.3,
)
#: Config of each adapter, with limits as short.
BLOCKS: Final[dict[str, dict[str, Any]]] = {
    "betfair": {"timeout_s": 1.0},
    "theoddsapi": {
        "bookmakers": ["book"],
        "markets": ["h2h", "spreads", "totals"],
        "sports": ["soccer_one"],
        "monthly_credits": 1_000_000_000,
        "min_interval_s": 0.1,
        "max_interval_s": 0.1,
        "max_age_s": 1.5,
        "max_update_age_s": 2.0,
        "timeout_s": 1.0,
    },
    "pinnacle": {"interval_s": 0.1, "max_age_s": 1.5, "timeout_s": 1.0},
    "opticodds": {"sportsbooks": ["book"], "silence_s": 1.5, "timeout_s": 1.0, "requests_per_s": 200.0},
    "oddsapiio": {"bookmakers": ["Bet365"], "ping_s": 0.75, "timeout_s": 1.0, "requests_per_s": 200.0},
}
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
    """

    def __init__(self, base: str) -> None:
        self.client = OddsClient(base, ["sport:football"])
        self.observations: dict[MarketKey, list[Observation]] = {}

    async def run(self) -> None:
        """Record until cancelled."""
        async for message in self.client.messages():
            if message["op"] in {"snapshot", "delta"}:
                now_s = time.monotonic()
                for change in message.get("markets", ()):
                    if not change.get("removed"):
                        self._record(self.client.state.markets[change["id"]], now_s)

    def _record(self, market: dict[str, Any], now_s: float) -> None:
        event = self.client.state.events.get(market["event"])
        if event is None or market["type"] not in _KINDS:
            return
        key = MarketKey(event["participants"][0], _KINDS[market["type"]], market["line"])
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


class Installation:
    """Everything that runs in a fault scenario."""

    def __init__(
        self,
        service: Service,
        emulators: Mapping[str, Emulator],
        supervisors: list[Supervisor],
        subscriber: Subscriber,
        certificates: Certificates,
    ) -> None:
        self._certificates = certificates
        #: the TLS context of each provider's server
        self.tls: dict[str, ssl.SSLContext] = {}
        self.service = service
        self.emulators = emulators
        self.supervisors = {each.name: each for each in supervisors}
        self.subscriber = subscriber
        #: feed -> tick -> when it was seen, monotonic seconds
        self.tick_times_s: dict[str, dict[int, float]] = {name: {} for name in emulators}

    def inject_fault(self, name: str, kind: str, seconds: float) -> None:
        """Inject a fault into a provider, or end it with 0 seconds."""
        if kind == "certificate":
            self.tls[name].load_cert_chain(self._certificates.bad if seconds else self._certificates.good)
            kind, seconds = "drop", min(seconds, 0.3)
        if seconds or kind not in ONCE:
            self.emulators[name].inject_fault(kind, seconds)

    def is_live(self, name: str) -> bool:
        """Return whether a feed is live."""
        return self.supervisors[name].state is FeedState.LIVE

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
        tick_times_s = self.tick_times_s[name]
        until_s = float("inf")
        for move in reversed(market.moves):
            if until_s < at_s - age_s:
                return False
            if is_near(move.probabilities, seen.implied, tolerance):
                return True
            # Ticks may be seen late, or not at all: the move ended at the next tick that was seen, at the latest.
            until_s = next((tick_times_s[tick] for tick in range(move.tick, move.tick + 50) if tick in tick_times_s), until_s)
        return False

    async def watch_ticks(self) -> None:
        """Record the time of every tick, until cancelled."""
        while True:
            now_s = time.monotonic()
            for name, emulator in self.emulators.items():
                ticks = emulator.market_model.ticks
                self.tick_times_s[name].setdefault(ticks, now_s)
                self.tick_times_s[name].pop(ticks - _TICKS_KEPT, None)
            await asyncio.sleep(_TICK_WATCH_S)


def is_near(one: dict[str, float] | None, other: dict[str, float], tolerance: float) -> bool:
    """Return whether two sets of probabilities are equal except for margins and rounding."""
    return one is not None and one.keys() == other.keys() and all(abs(one[key] - other[key]) <= tolerance for key in one)


@asynccontextmanager
async def running_installation(
    *adapters: str,
    events: int = 40,
    seed: int = 7,
    biases: Mapping[str, float] | None = None,
    sourcing: tuple[SourcingRule, ...] = (),
    supervision: Supervision = QUICK,
    blocks: Mapping[str, dict[str, Any]] | None = None,
    move_share: float = 0.2,
) -> AsyncIterator[Installation]:
    """Run emulators, their feeds and a service, and yield once every feed is live.

    Args:
        adapters: names of adapters, most preferred first; the feeds have the same names.
        events: the number of matches, with six markets each.
        seed: the seed of the market models.
        biases: how much each provider's prices differ from the others' (see `MarketModel`).
        sourcing: how markets choose their sources.
        supervision: the limits of every feed.
        blocks: further config of a feed.
        move_share: the share of matches that move in a tick.
    """
    plugins: dict[str, Any] = {name: plugin for name, plugin in installed_feeds().items() if name in adapters}
    async with AsyncExitStack() as stack:
        emulators: dict[str, Emulator] = {}
        feeds: dict[str, FeedSettings] = {}
        start_ms = time.time_ns() // 1_000_000
        certificates = Certificates(Path(stack.enter_context(TemporaryDirectory(prefix="oddsengine-faults-"))))
        tls: dict[str, ssl.SSLContext] = {}
        for name in adapters:
            model = MarketModel(seed, events, start_ms, move_share=move_share, bias=(biases or {}).get(name, 0.0))
            emulated = load_emulator(name)
            emulator = emulated.build(model)
            tls[name] = certificates.server()
            await emulator.start(tls=tls[name])
            stack.push_async_callback(emulator.stop)
            emulators[name] = emulator
            os.environ.update(emulated.secrets)
            block = {**emulator.config(), "ca_file": str(certificates.trusted), **BLOCKS[name], **(blocks or {}).get(name, {})}
            feeds[name] = FeedSettings(name, msgspec.convert(block, plugins[name].config_type), supervision)
        settings = Settings(
            # The providers differ by their biases, so that a handicap of one beside the result of another can be beaten: rightly
            # suspended, but here each market is compared with what its own provider means.
            engine=EngineSettings(closed_event_ttl_s=1e6, cross_market_guard=False),
            gateway=GatewaySettings(port=0),
            profiles={"default": Profile(ladder="decimal_3", book_sum=1.02, devig="multiplicative")},
            feeds=feeds,
            sourcing=sourcing,
        )
        service = await stack.enter_async_context(run_service(settings, feed_sources(feeds)))
        await wait_until(lambda: service.hub.replica.ready, "readiness")
        opened = await stack.enter_async_context(open_feeds(feeds, Startup()))
        supervisors = await stack.enter_async_context(run_feeds(opened, service.engine))
        subscriber = Subscriber(f"http://127.0.0.1:{service.port}")
        installation = Installation(service, emulators, supervisors, subscriber, certificates)
        installation.tls = tls
        watching = [asyncio.create_task(subscriber.run()), asyncio.create_task(installation.watch_ticks())]
        try:
            for name in adapters:
                await wait_until(lambda name=name: installation.is_live(name), f"{name} live")  # type: ignore[misc]
            yield installation
            for task in watching:
                if task.done():
                    await task
        finally:
            await end_tasks(watching)
