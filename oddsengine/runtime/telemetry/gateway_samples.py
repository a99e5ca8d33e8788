"""The metrics of a gateway, read from the counters of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.common import speedups

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.listener import Acceptor
    from oddsengine.gateway.server.timeouts import HandshakeTimeouts
    from oddsengine.runtime.telemetry.metrics import Sample
    from oddsengine.streams.follower import Follower


def hub_samples(hub: Hub) -> Iterable[Sample]:
    """Yield what a hub has counted."""
    counters = hub.counters
    yield "oddsengine_sessions", (), len(hub.sessions)
    yield "oddsengine_speedups", (), speedups.gateway_loops is not None
    yield "oddsengine_sessions_opened_total", (), counters.opened
    yield "oddsengine_sent_frames_total", (), counters.frames
    yield "oddsengine_sent_bytes_total", (), counters.bytes
    yield "oddsengine_sent_deltas_total", (), counters.deltas
    yield "oddsengine_sent_snapshots_total", (), counters.snapshots
    yield "oddsengine_resumed_subscriptions_total", (), counters.resumed
    yield "oddsengine_slow_consumers_total", (), counters.slow_consumers
    yield "oddsengine_slow_consumer_disconnects_total", (), counters.slow_consumer_disconnects
    yield "oddsengine_catch_ups_total", (), counters.catch_ups
    yield "oddsengine_bad_messages_total", (), counters.bad_messages
    yield "oddsengine_suspension_seconds", (), counters.suspension_seconds
    yield "oddsengine_publish_to_socket_seconds", (), counters.publish_to_socket_seconds


def rejection_samples(hub: Hub, admission: Admission, handshakes: HandshakeTimeouts) -> Iterable[Sample]:
    """Yield how many requests, sessions and channels were rejected, by reason."""
    counters = hub.counters
    rejected = {
        "token": admission.authenticator.rejected,
        "expired": counters.expired,
        "origin": admission.rejected_origins,
        "sessions_per_address": admission.rejected_sessions,
        "handshakes": admission.handshakes.rejected,
        "requests": admission.requests.rejected,
        "session_limit": counters.over_limit,
        "channel": counters.refused_channels,
        "slow_handshake": handshakes.timed_out,
        "idle": handshakes.idle_closed,
    }
    for reason, count in rejected.items():
        yield "oddsengine_rejected_total", (reason,), count


def follower_samples(followers: Sequence[Follower]) -> Iterable[Sample]:
    """Yield the state of each shard."""
    for shard, follower in enumerate(followers):
        yield "oddsengine_snapshot_reloads_total", (str(shard),), follower.snapshot_reloads
        yield "oddsengine_shard_stale", (str(shard),), follower.stale


def connection_samples(acceptor: Acceptor) -> Iterable[Sample]:
    """Yield what an acceptor has counted."""
    yield "oddsengine_connections", (), acceptor.open
    yield "oddsengine_accept_pauses_total", (), acceptor.pauses
    yield "oddsengine_rejected_total", ("connections_per_address",), acceptor.rejected_addresses
    yield "oddsengine_rejected_total", ("tls_handshake",), acceptor.failed_handshakes
    yield "oddsengine_rejected_total", ("unmasked_frame",), acceptor.unmasked_frames
    yield "oddsengine_rejected_total", ("unreadable_request",), acceptor.unreadable_requests
