"""The stage: emulated providers, the real feeds on them, the whole service, and a subscriber who notes what it is told when."""

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
from oddsengine.runtime.feed_runner import feed_sources, run_feeds
from oddsengine.runtime.service import run_service
from oddsengine.runtime.settings import EngineSettings, FeedSettings, GatewaySettings, Settings
from tests.support.certificates import Certificates

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping

    from feeds.emulators.core.market_model import ModelMarket
    from feeds.emulators.emulator import Emulator
    from feeds.supervision.supervisor import Supervisor
    from oddsengine.runtime.service import Service
    from oddsengine.sourcing.source_selector import SourcingRule

PATIENCE_S: Final = 30.0
_TICK_WATCH_S: Final = 0.01
_TICKS_KEPT: Final = 2_000
#: Limits as short as can be told apart, so that a fault takes seconds.
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
#: What each adapter's own block adds so that its limits are as short.
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
#: The kinds of markets that each provider's adapter offers.
OFFERED: Final[dict[str, frozenset[str]]] = {
    "betfair": frozenset({"result", "total", "both"}),
    "theoddsapi": frozenset({"result", "total", "handicap"}),
    "pinnacle": frozenset({"result", "total", "handicap"}),
    "opticodds": frozenset({"result", "total", "handicap", "both"}),
    "oddsapiio": frozenset({"result", "total", "handicap", "both"}),
}
_KINDS: Final = {"match_odds": "result", "total": "total", "asian_handicap": "handicap", "both_to_score": "both"}


class Identity(NamedTuple):
    """A market, whoever offers it and under whatever id: the home side's name, its kind and line."""

    home: str
    kind: str
    line: float | None


class Told(NamedTuple):
    """A market as a subscriber was told it: when (monotonic seconds), and what its prices imply; None while not open."""

    at_s: float
    implied: dict[str, float] | None
    reason: str | None


class Watcher:
    """A plain subscriber of everything.

    Args:
        base: the gateway.
    """

    def __init__(self, base: str) -> None:
        self.client = OddsClient(base, ["sport:football"])
        self.told: dict[Identity, list[Told]] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        async for message in self.client.messages():
            if message["op"] in {"snapshot", "delta"}:
                now_s = time.monotonic()
                for change in message.get("markets", ()):
                    if not change.get("removed"):
                        self._note(self.client.state.markets[change["id"]], now_s)

    def _note(self, market: dict[str, Any], now_s: float) -> None:
        event = self.client.state.events.get(market["event"])
        if event is None or market["type"] not in _KINDS:
            return
        identity = Identity(event["participants"][0], _KINDS[market["type"]], market["line"])
        prices = {key: selection["price"] for key, selection in market["selections"].items()}
        implied = None
        if market["status"] == "open" and all(prices.values()):
            total = sum(1 / price for price in prices.values())
            implied = {key: 1 / price / total for key, price in prices.items()}
        self.told.setdefault(identity, []).append(Told(now_s, implied, market["reason"]))

    def in_force(self, identity: Identity, at_s: float) -> Told | None:
        """Give what held at a time."""
        return next((told for told in reversed(self.told.get(identity, ())) if told.at_s <= at_s), None)

    def forget_before(self, at_s: float) -> None:
        """Drop what was told before a time, but for the last word on each market."""
        for identity, told in self.told.items():
            kept = [each for each in told if each.at_s >= at_s]
            last = next((each for each in reversed(told) if each.at_s < at_s), None)
            self.told[identity] = kept if last is None else [last, *kept]


class Stage:
    """Everything running."""

    def __init__(
        self,
        service: Service,
        emulators: Mapping[str, Emulator],
        supervisors: list[Supervisor],
        watcher: Watcher,
        certificates: Certificates,
    ) -> None:
        self._certificates = certificates
        #: what each provider shows who connects
        self.tls: dict[str, ssl.SSLContext] = {}
        self.service = service
        self.emulators = emulators
        self.supervisors = {each.name: each for each in supervisors}
        self.watcher = watcher
        #: feed -> tick -> when it was, monotonic seconds
        self.ticked: dict[str, dict[int, float]] = {name: {} for name in emulators}

    def inject_fault(self, name: str, kind: str, seconds: float) -> None:
        """Let a provider do something wrong; 0 seconds end it."""
        if kind == "certificate":
            self.tls[name].load_cert_chain(self._certificates.bad if seconds else self._certificates.good)
            kind, seconds = "drop", min(seconds, 0.3)
        if seconds or kind not in ONCE:
            self.emulators[name].inject_fault(kind, seconds)

    def is_live(self, name: str) -> bool:
        """Tell whether a feed is live, by its supervisor."""
        return self.supervisors[name].state is FeedState.LIVE

    def truth(self, name: str) -> dict[Identity, ModelMarket]:
        """Give what a provider offers through its adapter."""
        return {
            Identity(event.home, market.kind, market.line): market
            for event in self.emulators[name].market_model.events
            for market in event.markets
            if market.kind in OFFERED[name]
        }

    def pause(self, *, paused: bool) -> None:
        """Let every truth stand still, or move again."""
        for emulator in self.emulators.values():
            emulator.pause(paused=paused)

    def was_true(self, name: str, market: ModelMarket | None, told: Told, at_s: float, age_s: float, tolerance: float) -> bool:
        """Tell whether a provider held what a subscriber was told to be true at some time of the last seconds."""
        if market is None or told.implied is None:
            return False
        ticked = self.ticked[name]
        until_s = float("inf")
        for move in reversed(market.moves):
            if until_s < at_s - age_s:
                return False
            if is_near(move.probabilities, told.implied, tolerance):
                return True
            # A tick that was seen late was over by then at the latest.
            until_s = next((ticked[tick] for tick in range(move.tick, move.tick + 50) if tick in ticked), until_s)
        return False

    async def watch_ticks(self) -> None:
        """Note when ticks pass, until cancelled."""
        while True:
            now_s = time.monotonic()
            for name, emulator in self.emulators.items():
                ticks = emulator.market_model.ticks
                self.ticked[name].setdefault(ticks, now_s)
                self.ticked[name].pop(ticks - _TICKS_KEPT, None)
            await asyncio.sleep(_TICK_WATCH_S)


def is_near(one: dict[str, float] | None, other: dict[str, float], tolerance: float) -> bool:
    """Tell whether two sets of probabilities are the same, but for margins and rounding."""
    return one is not None and one.keys() == other.keys() and all(abs(one[key] - other[key]) <= tolerance for key in one)


async def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> float:
    """Wait for something that must come; give the seconds it took."""
    began_s = time.monotonic()
    try:
        async with asyncio.timeout(patience_s):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {patience_s:g} s") from None
    return time.monotonic() - began_s


@asynccontextmanager
async def staged(
    *adapters: str,
    events: int = 40,
    seed: int = 7,
    biases: Mapping[str, float] | None = None,
    sourcing: tuple[SourcingRule, ...] = (),
    supervision: Supervision = QUICK,
    blocks: Mapping[str, dict[str, Any]] | None = None,
    move_share: float = 0.2,
) -> AsyncIterator[Stage]:
    """Run emulators of these adapters, most preferred first, and everything on them, until every feed is live.

    Args:
        adapters: their names, which name the feeds too.
        events: how many matches, with six markets each.
        seed: of the matches.
        biases: what tells a provider's opinion from the others' (see `MarketModel`).
        sourcing: how markets choose their sources.
        supervision: of every feed.
        blocks: what else stands in a feed's config.
        move_share: how much moves in a tick.
    """
    plugins: dict[str, Any] = {name: plugin for name, plugin in installed_feeds().items() if name in adapters}
    async with AsyncExitStack() as stack:
        emulators: dict[str, Emulator] = {}
        feeds: dict[str, FeedSettings] = {}
        start_ms = time.time_ns() // 1_000_000
        certificates = Certificates(Path(stack.enter_context(TemporaryDirectory(prefix="oddsengine-chaos-"))))
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
            engine=EngineSettings(closed_event_ttl_s=1e6),
            gateway=GatewaySettings(port=0),
            profiles={"default": Profile(ladder="decimal_3", book_sum=1.02, devig="multiplicative")},
            feeds=feeds,
            sourcing=sourcing,
        )
        service = await stack.enter_async_context(run_service(settings, feed_sources(feeds)))
        await until(lambda: service.hub.replica.ready, "readiness")
        supervisors = await stack.enter_async_context(run_feeds(feeds, service.engine))
        watcher = Watcher(f"http://127.0.0.1:{service.port}")
        stage = Stage(service, emulators, supervisors, watcher, certificates)
        stage.tls = tls
        watching = [asyncio.create_task(watcher.run()), asyncio.create_task(stage.watch_ticks())]
        try:
            for name in adapters:
                await until(lambda name=name: stage.is_live(name), f"{name} live")  # type: ignore[misc]
            yield stage
            for task in watching:
                if task.done():
                    await task
        finally:
            await end_tasks(watching)
