"""What is on offer in the subscribed channels, as far as the client knows, and which of it may be out of date."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class OddsState:
    """Events and markets by id, as plain JSON values.

    A market is shown while any channel contains it. A channel that is refused contains nothing.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.events: dict[str, dict[str, Any]] = {}
        self.markets: dict[str, dict[str, Any]] = {}
        #: channel -> events and markets of a snapshot whose last part has not arrived
        self._parts: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        #: channel -> ids of the events and markets that it contains
        self._ids_by_channel: dict[str, set[str]] = {}
        #: channel -> since when the gateway calls it stale, Unix milliseconds
        self._announced_stale: dict[str, int] = {}
        #: channel -> when it was last known to be current, where the client itself does not know whether it is
        self._unconfirmed: dict[str, int] = {}
        #: resumed channels that have not been confirmed: what has changed meanwhile is still to come
        self._resuming: dict[str, None] = {}
        #: when the last message arrived, Unix milliseconds
        self._received_ms = 0
        #: until when that means that everything is current, monotonic seconds; None: always
        self._current_until_s: float | None = None

    @property
    def stale(self) -> dict[str, int]:
        """The channels that may be out of date, and since when (Unix milliseconds; 0: they were never current).

        The gateway reports it for a channel, no message has arrived for a while, the connection is lost, or what was missed has
        not arrived on the new one yet.
        """
        is_silent = self._current_until_s is not None and self._clock() > self._current_until_s
        silent = dict.fromkeys(self._ids_by_channel, self._received_ms) if is_silent else {}
        return {**silent, **self._announced_stale, **self._unconfirmed}

    def apply(self, message: dict[str, Any]) -> None:
        """Apply a message. No-op for those that are not about what is on offer."""
        op = message["op"]
        if str(message.get("channel", "")).startswith("console:"):
            # It is for the listener: nothing of it is on offer.
            self._confirm((message["channel"],))
            return
        if op == "delta":
            self._apply_delta(message)
        elif op == "snapshot":
            self._apply_snapshot(message)
        elif op == "subscribed":
            if message.get("resumed"):
                self._resuming.update(dict.fromkeys(message["channels"]))
        elif op == "stale":
            self._confirm((message["channel"],))
            self._announced_stale[message["channel"]] = message["since"]
        elif op == "live":
            self._confirm((message["channel"],))
            self._announced_stale.pop(message["channel"], None)
        elif op == "heartbeat":
            # It is sent only to clients that have been sent everything.
            self._confirm(list(self._resuming))

    def has_seen(self, channel: str, key: str) -> bool:
        """Check whether a channel contains an event or market."""
        return key in self._ids_by_channel.get(channel, ())

    def expect(self, channels: Iterable[str]) -> None:
        """Note channels of which nothing is known yet."""
        for channel in channels:
            self._unconfirmed.setdefault(channel, 0)

    def lose(self) -> None:
        """Note that the connection is lost: no channel is known to be current since the last message."""
        self._parts.clear()
        for channel in self._ids_by_channel:
            self._unconfirmed.setdefault(channel, self._announced_stale.get(channel, self._received_ms))
        self._announced_stale.clear()
        self._resuming.clear()
        self._current_until_s = None

    def note_message(self, received_ms: int, current_until_s: float) -> None:
        """Note that a message has arrived: for a while everything is current.

        Args:
            received_ms: when, Unix milliseconds.
            current_until_s: until when, monotonic seconds.
        """
        self._received_ms = received_ms
        self._current_until_s = current_until_s

    def drop(self, channel: str) -> None:
        """Remove a channel, with everything that no other channel contains."""
        self._parts.pop(channel, None)
        self._announced_stale.pop(channel, None)
        self._confirm((channel,))
        self._remove(self._ids_by_channel.pop(channel, set()))

    def _confirm(self, channels: Iterable[str]) -> None:
        for channel in channels:
            self._unconfirmed.pop(channel, None)
            self._resuming.pop(channel, None)

    def _apply_snapshot(self, message: dict[str, Any]) -> None:
        channel = message["channel"]
        if message["part"] == 1:
            self._parts[channel] = ({}, {})
        if channel not in self._parts:
            return  # the first part came on another connection
        events, markets = self._parts[channel]
        events.update({event["id"]: event for event in message["events"]})
        markets.update({market["id"]: market for market in message["markets"]})
        if message["last"]:
            del self._parts[channel]
            before = self._ids_by_channel.get(channel, set())
            self._ids_by_channel[channel] = {*events, *markets}
            self._remove(before - self._ids_by_channel[channel])
            self.events.update(events)
            self.markets.update(markets)
            self._confirm((channel,))

    def _apply_delta(self, message: dict[str, Any]) -> None:
        ids = self._ids_by_channel.setdefault(message["channel"], set())
        for event in message.get("events", ()):
            key = event["id"]
            if event.get("removed"):
                gone = {key, *(market for market in ids if self.markets.get(market, {}).get("event") == key)}
                ids -= gone
                self._remove(gone)
            elif key in self.events or "sport" in event:
                # A change with its sport is the whole event.
                ids.add(key)
                self.events[key] = {**self.events.get(key, {}), **event}
        for market in message.get("markets", ()):
            if market.get("removed"):
                ids.discard(market["id"])
                self._remove({market["id"]})
            else:
                self._apply_market(market, ids)

    def _apply_market(self, change: dict[str, Any], ids: set[str]) -> None:
        key = change["id"]
        known = self.markets.get(key)
        if "event" in change:
            # A change with its event is the whole market.
            ids.add(key)
            self.markets[key] = change
        elif known is not None:
            selections = dict(known["selections"])
            for name, selection in change.get("selections", {}).items():
                selections[name] = {**selections.get(name, {}), **selection}
            self.markets[key] = {**known, **change, "selections": selections}

    def _remove(self, keys: set[str]) -> None:
        """Remove what no channel contains any more."""
        for key in keys:
            if not any(key in ids for ids in self._ids_by_channel.values()):
                self.events.pop(key, None)
                self.markets.pop(key, None)
