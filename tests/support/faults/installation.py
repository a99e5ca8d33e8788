"""An installation for fault scenarios: emulated providers, real feeds, a whole service, and a subscriber that records it."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import msgspec

from feeds.emulators.core.faults import ONCE
from feeds.emulators.core.market_model import MarketModel
from feeds.emulators.emulator import load_emulator
from feeds.feed import installed_feeds
from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState
from oddsengine.common.tasks import end_tasks
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.runtime.feed_runner import feed_sources, open_feeds, run_feeds
from oddsengine.runtime.processes.startup import Startup
from oddsengine.runtime.service import run_service
from oddsengine.runtime.settings import EngineSettings, FeedSettings, GatewaySettings, Settings
from tests.support.credentials import Certificates
from tests.support.faults.observing import Providers, Subscriber
from tests.support.service import wait_until

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from feeds.emulators.emulator import Emulator
    from feeds.supervision.supervisor import Supervisor
    from oddsengine.runtime.service import Service
    from oddsengine.sourcing.sourcing_rule import SourcingRule

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


class Installation(Providers):
    """Everything that runs in a fault scenario."""

    def __init__(
        self,
        service: Service,
        emulators: Mapping[str, Emulator],
        supervisors: list[Supervisor],
        subscriber: Subscriber,
        certificates: Certificates,
    ) -> None:
        super().__init__(emulators)
        self._certificates = certificates
        #: the TLS context of each provider's server
        self.tls: dict[str, ssl.SSLContext] = {}
        self.service = service
        self.supervisors = {each.name: each for each in supervisors}
        self.subscriber = subscriber

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
            # How late the machine is must not look like a fault: no fault is one of the gateway's connection to the engine.
            gateway=GatewaySettings(port=0, stale_suspend_after_s=15.0),
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
