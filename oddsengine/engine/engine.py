"""The running engine: feed updates in, one writer a shard."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, NamedTuple

import orjson

from oddsengine.common.clock import iso_time
from oddsengine.common.tasks import end_tasks
from oddsengine.domain.ids import EventId, MarketId, shard_of
from oddsengine.engine.answering import Answering
from oddsengine.engine.command_follower import CommandFollower
from oddsengine.engine.explain import explain
from oddsengine.engine.identity.keeper import IdentityKeeper
from oddsengine.engine.ownership.ownership import SHARDS_HAND_OVER_S, Ownership
from oddsengine.engine.ownership.shard_writer import HEARTBEAT_S, LAST_WRITE_S, ShardWriter
from oddsengine.engine.pipeline import Pipeline
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.floor.questions import Questions
from oddsengine.streams.identities.log import IdentityLog
from oddsengine.streams.kept_entries import STREAM_BYTES_KEPT
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.leases.keeper import LAPSED, LEASE_S
from oddsengine.streams.leases.table import LeaseTable
from oddsengine.streams.publisher import RESULTS_BYTES_KEPT, RESULTS_TTL_S, Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from redis.asyncio import Redis

    from oddsengine.commands.command import Command
    from oddsengine.common.histogram import Histogram
    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import UpdateBatch
    from oddsengine.pricing.pricer import Pricer
    from oddsengine.sourcing.matching.matcher import MatchingSettings
    from oddsengine.sourcing.sourcing_rule import SourcingRule


def _described(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "sport": event.sport,
        "competition": event.competition.name,
        "name": event.name,
        "participants": event.participants,
        "start": None if event.start_ms is None else iso_time(event.start_ms, "milliseconds"),
    }


class Retention(NamedTuple):
    """Limits on how much is kept, and for how long.

    Attributes:
        results_ttl_s: how long the results of a market are kept once it has left the offer; 0: not at all.
        stream_bytes: how many bytes of batches each shard's stream keeps.
        results_bytes: how many bytes of results are kept for each shard, about.
        closed_event_ttl_s: how long an event stays on offer after its last market closed.
    """

    results_ttl_s: float = RESULTS_TTL_S
    stream_bytes: int = STREAM_BYTES_KEPT
    results_bytes: int = RESULTS_BYTES_KEPT
    closed_event_ttl_s: float = 600.0


class Engine:
    """Runs everything between the feeds and Redis.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        pricer: prices markets for every profile.
        sources: source names, most preferred first.
        shards: how many sequences the changes are spread over.
        retention: how much is kept, and for how long.
        now_ms: Unix milliseconds by a clock that is never set.
        wall_ms: Unix milliseconds by the system's clock, for what is shown; None for `now_ms`.
        sourcing: how markets choose their sources.
        matching: when events of different feeds are the same.
        heartbeat_s: how often an idle owner of a shard writes.
        name: names the engine; unique in its installation. Empty: a random one.
        lease_s: for how long this engine owns its shards without renewing its lease.
        warm_up_s: see `Ownership`.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        redis: Redis,
        namespace: str,
        pricer: Pricer,
        sources: Sequence[str],
        *,
        sourcing: Sequence[SourcingRule] = (),
        matching: MatchingSettings | None = None,
        shards: int,
        retention: Retention,
        now_ms: Callable[[], int],
        wall_ms: Callable[[], int] | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        name: str = "",
        lease_s: float = LEASE_S,
        warm_up_s: float = 0.0,
    ) -> None:
        self.pipeline = Pipeline(pricer, sources, shards, sourcing, matching, defers_matching=True)
        self.commands = CommandFollower(
            CommandLog(redis, namespace),
            self.pipeline.obey,
            self._obeyed,
            self._keep_time,
            self._is_gone,
            Answering(Questions(redis, namespace), self.owns, self._explain_encoded),
            self.pipeline.commands.book.kicked_off,
        )
        self._now_ms = now_ms
        #: returns the status of every feed; set by the runner of the feeds
        self.describe_feeds: Callable[[], list[dict[str, Any]]] = list
        #: returns how old what is known of the feeds is that are not down, in milliseconds; set likewise
        self.age_of_feeds_ms: Callable[[], int] = int
        self.ownership = Ownership(
            name or secrets.token_hex(8),
            LeaseTable(redis, namespace, "shards"),
            self.pipeline,
            lease_s=lease_s,
            closed_event_ttl_s=retention.closed_event_ttl_s,
            now_ms=now_ms,
            catch_up=self._catch_up,
            warm_up_s=warm_up_s,
        )
        self.identities = IdentityKeeper(
            IdentityLog(redis, namespace),
            lambda: self.pipeline.matched,
            self.pipeline.books,
            decides=lambda: self.writers[0].is_owner and self.ownership.lease.is_held(),
            changed=self._wake_writers,
            wall_ms=wall_ms or now_ms,
        )
        self._publishers = [
            Publisher(
                redis,
                shard,
                shard_keys(namespace, shard),
                self.pipeline.offers[shard],
                retention.results_ttl_s,
                retention.stream_bytes,
                retention.results_bytes,
            )
            for shard in range(shards)
        ]
        #: the writers of all shards; those of shards that other engines own do nothing
        self.writers = [
            ShardWriter(
                self.pipeline,
                shard,
                publisher,
                now_ms,
                retention.closed_event_ttl_s,
                heartbeat_s,
                wall_ms,
                self.ownership.lease,
                age_ms=self._age_ms,
            )
            for shard, publisher in enumerate(self._publishers)
        ]
        self.ownership.use(self.writers)

    async def _catch_up(self) -> None:
        await self.commands.catch_up()
        await self.identities.catch_up()

    def _keep_time(self, server_ms: int) -> None:
        # Gateways state expiries by the same clock; ours may be hours ahead of it.
        self.pipeline.commands.clock_step_ms = server_ms - self._now_ms()

    def _wake_writers(self) -> None:
        self.pipeline.commands.obeyed = self.identities.acknowledged
        for writer in self.ownership.active:
            writer.wake()

    def receive(self, batch: UpdateBatch, age_ms: int = 0) -> None:
        """Apply updates of a source, which were received a while ago; they are published with the next flush."""
        received_ms = self._now_ms() - age_ms
        self.pipeline.receive(batch, received_ms)
        self.identities.wake()
        for writer in self.ownership.active:
            writer.receive(batch.source, received_ms, batch.published_ms)

    def _age_ms(self) -> int:
        return self.age_of_feeds_ms()

    def _is_gone(self, command: Command) -> bool:
        shards = [(shard_of(EventId(event), len(self.writers)), EventId(event)) for event in command.events]
        return bool(shards) and all(
            self.writers[shard].is_owner and event not in self.pipeline.offers[shard].events for shard, event in shards
        )

    def _obeyed(self, seq: int) -> None:
        """Publish what commands have changed, and how far the log of commands has been obeyed."""
        commands = self.pipeline.commands
        self.identities.obey(seq, settles=commands.settles)
        commands.settles = False
        self._wake_writers()

    def agrees(self, batch: UpdateBatch) -> bool:
        """Check whether new images of a source equal what its book holds. Changes nothing."""
        return self.pipeline.agrees(batch)

    def known_markets(self, source: str) -> list[str]:
        """Return the ids of a source's markets, as it has them; none if the source is not known."""
        book = self.pipeline.books.get(source)
        return [] if book is None else list(book.markets)

    def adopt(self, pricer: Pricer) -> None:
        """Price by other rules, and for other profiles, from the next flush on."""
        self.pipeline.adopt(pricer)
        self._wake_writers()

    def keep(self, retention: Retention) -> None:
        """Keep other amounts, and for other times, from now on."""
        for publisher in self._publishers:
            publisher.keep(retention.results_ttl_s, retention.stream_bytes, retention.results_bytes)
        for writer in self.writers:
            writer.keep(retention.closed_event_ttl_s)
        self.ownership.keep(retention.closed_event_ttl_s)

    def choose_by(self, sourcing: Sequence[SourcingRule]) -> None:
        """Choose sources by other rules from the next flush on."""
        self.pipeline.choose_by(sourcing)
        self._wake_writers()

    def use_sources(self, sources: Sequence[str]) -> None:
        """Take over other sources, most preferred first, from the next flush on."""
        self.pipeline.use_sources(sources, self._now_ms())
        self.identities.wake()
        self._wake_writers()

    def match_by(self, matching: MatchingSettings) -> None:
        """Match events by other settings from now on."""
        self.pipeline.match_by(matching)
        self.identities.wake()
        self._wake_writers()

    def follow_clock(self, step_ms: int) -> None:
        """Compare times with the starts of events as if they were later by a number of milliseconds; see `ProcessClock`."""
        self.pipeline.follow_clock(step_ms)

    async def take_over(self) -> None:
        """Become the owner of the shards that no engine owns, unless we are to warm up first. Call it before the first update."""
        # Before anything is published: what a person has suspended does not open for a moment.
        await self.commands.load()
        await self.identities.load()
        await self.ownership.join()

    async def run(self) -> None:
        """Publish the shards that this engine owns, and take and give shards as engines come and go, until cancelled."""
        # Not a task group, which cancels its tasks once only: a writer can miss a cancellation (see `end_tasks`).
        tasks = [
            asyncio.create_task(self.ownership.run(), name="ownership"),
            asyncio.create_task(self.commands.run(), name="commands"),
            asyncio.create_task(self.identities.run(), name="identities"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            # Each also where the one before was cancelled, as by `end_tasks` if stopping takes long.
            try:
                await self.stop()
            finally:
                try:
                    await end_tasks(tasks)
                finally:
                    await self.ownership.end()

    async def hand_over(self, timeout_s: float = SHARDS_HAND_OVER_S) -> None:
        """Release all shards to other engines, if there are any, before this one stops. Nothing is suspended for it.

        Feeds and `run` go on meanwhile.

        Args:
            timeout_s: how long to wait for the others.
        """
        await self.ownership.hand_over(timeout_s)

    async def stop(self, timeout_s: float = LAST_WRITE_S) -> None:
        """Suspend every market that is still owned with the last write of its shard (`engine_stopped`), and release the shards.

        Updates have no effect any more. May be called again.

        Args:
            timeout_s: how long that may take. Markets that it was not written for are suspended by the gateways.
        """
        await self.ownership.stop(timeout_s)

    def explain(self, market: MarketId, only_profile: str | None = None) -> dict[str, Any] | None:
        """Return how a market's prices were computed (None: for all profiles). Return None if it is not on offer."""
        return explain(self.pipeline, market, self._now_ms(), only_profile)

    def _explain_encoded(self, market: str, only_profile: str | None) -> bytes | None:
        explanation = self.explain(MarketId(market), only_profile)
        return None if explanation is None else orjson.dumps(explanation)

    def owns(self, market: str) -> bool:
        """Check whether this engine publishes the shard of a market."""
        return self.writers[self.pipeline.shard_of_market(MarketId(market))].is_owner and self.is_member

    def problems(self) -> dict[int, str]:
        """Return the shards of this engine whose changes do not reach Redis, and why."""
        if not self.ownership.lease.is_held():
            return dict.fromkeys(self.ownership.owned, LAPSED)
        return {writer.shard: problem for writer in self.ownership.active if (problem := writer.problem())}

    @property
    def is_member(self) -> bool:
        """Whether this engine owns shards, or may be given some: its lease is held."""
        return self.ownership.lease.is_held()

    def feeds(self) -> list[dict[str, Any]]:
        """Return the status of every feed, since when and why."""
        return self.describe_feeds()

    def unmatched(self) -> list[dict[str, Any]]:
        """Return the pairs of events that may be the same, likeliest first, for an operator to settle in the config."""
        matcher = self.pipeline.matcher
        if matcher is None:
            return []
        return [
            {
                "events": [_described(pair.event), _described(pair.candidate)],
                "score": round(pair.score, 3),
                "reason": pair.reason,
            }
            for pair in matcher.review_candidates
        ]

    def samples(self) -> Iterable[tuple[str, tuple[str, ...], float | Histogram]]:
        """Yield the engine's metrics (see `oddsengine.runtime.telemetry.metrics`)."""
        for shard, writer in enumerate(self.writers):
            labels = (str(shard),)
            offer = self.pipeline.offers[shard]
            yield "oddsengine_shard_flushes_total", labels, writer.flushes
            yield "oddsengine_shard_claims_total", labels, writer.claims
            yield "oddsengine_shard_owned", labels, writer.is_owner
            yield "oddsengine_markets", labels, len(offer.markets)
            yield "oddsengine_events", labels, len(offer.events)
            yield from writer.timer.samples()
        yield "oddsengine_commands", (), len(self.pipeline.commands.book.commands)
        for action, count in self.commands.counts.items():
            yield "oddsengine_commands_total", (action,), count
        yield "oddsengine_engines", (), self.ownership.engines
        yield "oddsengine_lease_held", (), self.ownership.lease.is_held()
        yield "oddsengine_shards_handed_over_total", (), self.ownership.handed_over
        yield "oddsengine_shards_lost_total", (), self.ownership.lost
        if (matcher := self.pipeline.matcher) is not None:
            yield "oddsengine_unmatched_events", (), len(matcher.review_candidates)
            yield "oddsengine_identities", (), len(matcher.decided)
            yield "oddsengine_undecided_events", (), matcher.undecided
            yield "oddsengine_identities_decided_here", (), self.identities.is_deciding
            yield "oddsengine_identity_losses_total", (), self.identities.losses
