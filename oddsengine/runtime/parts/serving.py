"""The serving part of a gateway: how it serves its subscribers, which connections it accepts and how it stops; its reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway.hub.settings import HubSettings
from oddsengine.gateway.server.listener import AcceptLimits
from oddsengine.runtime.loop import connection_limit
from oddsengine.runtime.reload import ReloadedPart, applying

if TYPE_CHECKING:
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.connections import Connections
    from oddsengine.gateway.server.listener import Acceptor
    from oddsengine.gateway.server.timeouts import HandshakeTimeouts
    from oddsengine.runtime.past.api import HistoryApi
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.telemetry.http_observer import HttpObserver


def accept_limits(settings: Settings) -> AcceptLimits:
    """Return which connections a gateway accepts."""
    limits = settings.limits
    return AcceptLimits(
        limits.connections_per_address,
        connection_limit(),
        # Twice the time: a client that only reads too slowly is sent the reason before the system closes its connection.
        2 * limits.slow_client_timeout_s,
        limits.handshake_timeout_s,
    )


def hub_settings(settings: Settings) -> HubSettings:
    """Return how a gateway serves its sessions."""
    gateway = settings.gateway
    return HubSettings(
        heartbeat_ms=gateway.heartbeat_ms,
        profile=gateway.profile,
        slow_client_timeout_s=settings.limits.slow_client_timeout_s,
        history_ms=round(gateway.quote_history_s * 1000),
        stale_suspend_after_s=gateway.stale_suspend_after_s,
    )


def serving_part(hub: Hub, handshakes: HandshakeTimeouts, acceptors: list[Acceptor], past: HistoryApi) -> ReloadedPart:
    """Return what a reload does with how subscribers are served, and which connections are accepted."""

    def apply(settings: Settings) -> None:
        hub.use(hub_settings(settings))
        past.use(settings.gateway.stale_suspend_after_s)
        handshakes.use(settings.limits.handshake_timeout_s, settings.limits.idle_timeout_s)
        for acceptor in acceptors:
            acceptor.use(accept_limits(settings))

    keys = {"heartbeat_ms", "profile", "quote_history_s", "stale_suspend_after_s"}
    return ReloadedPart(frozenset({"limits", *(f"gateway.{key}" for key in keys)}), applying(apply))


def access_log_part(observer: HttpObserver) -> ReloadedPart:
    """Return what a reload does with the access log."""

    def apply(settings: Settings) -> None:
        observer.logs = settings.log.access

    return ReloadedPart(frozenset({"log"}), applying(apply))


def draining_part(connections: Connections) -> ReloadedPart:
    """Return what a reload does with how a gateway stops."""

    def apply(settings: Settings) -> None:
        use_drain(connections, settings)

    return ReloadedPart(frozenset({"gateway.drain_delay_s", "gateway.drain_spread_s"}), applying(apply))


def use_drain(connections: Connections, settings: Settings) -> None:
    """Apply the time-outs of the settings to connections."""
    connections.delay_s, connections.spread_s = settings.gateway.drain_delay_s, settings.gateway.drain_spread_s
