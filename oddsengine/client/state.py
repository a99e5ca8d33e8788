"""The state of the subscribed channels, as far as the client knows, and which of it may be out of date."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class _Entry(NamedTuple):
    """An event or market as a channel shows it, beside the number of the message that it is of."""

    value: dict[str, Any]
    number: int


class _Channel:
    """The events and markets of one channel: complete by themselves, as two channels may be at different positions."""

    def __init__(self) -> None:
        self.events: dict[str, _Entry] = {}
        self.markets: dict[str, _Entry] = {}

    def ids(self) -> set[str]:
        """Return the ids of everything that it contains."""
        return {*self.events, *self.markets}


class OddsState:
    """Events and markets by id, as plain JSON values.

    A market is shown while any channel contains it; of what several contain, what was received last. A channel that is refused
    contains nothing.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.events: dict[str, dict[str, Any]] = {}
        self.markets: dict[str, dict[str, Any]] = {}
        #: how many messages were applied
        self._number = 0
        #: the snapshots whose last part has not arrived
        self._parts: dict[str, _Channel] = {}
        #: the channels that have a state
        self._channels: dict[str, _Channel] = {}
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
        silent = dict.fromkeys(self._channels, self._received_ms) if is_silent else {}
        return {**silent, **self._announced_stale, **self._unconfirmed}

    def apply(self, message: dict[str, Any]) -> None:
        """Apply a message. No-op for those that are not about what is on offer."""
        op = message["op"]
        if str(message.get("channel", "")).startswith("console:"):
            # It is for the listener: nothing of it is on offer.
            self._confirm((message["channel"],))
            return
        self._number += 1
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
        elif op == "unsubscribed":
            for channel in message["channels"]:
                self.drop(channel)

    def has_seen(self, channel: str, key: str) -> bool:
        """Check whether a channel contains an event or market."""
        found = self._channels.get(channel)
        return found is not None and (key in found.events or key in found.markets)

    def expect(self, channels: Iterable[str]) -> None:
        """Note channels of which nothing is known yet."""
        for channel in channels:
            self._unconfirmed.setdefault(channel, 0)

    def lose(self) -> None:
        """Note that the connection is lost: no channel is known to be current since the last message."""
        self._parts.clear()
        for channel in self._channels:
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
        dropped = self._channels.pop(channel, None)
        if dropped is not None:
            self._show(dropped.ids())

    def _confirm(self, channels: Iterable[str]) -> None:
        for channel in channels:
            self._unconfirmed.pop(channel, None)
            self._resuming.pop(channel, None)

    def _apply_snapshot(self, message: dict[str, Any]) -> None:
        name = message["channel"]
        if message["part"] == 1:
            self._parts[name] = _Channel()
        parts = self._parts.get(name)
        if parts is None:
            return  # the first part came on another connection
        # What another channel is sent between two parts is newer than the first of them.
        number = self._number
        parts.events.update({event["id"]: _Entry(event, number) for event in message["events"]})
        parts.markets.update({market["id"]: _Entry(market, number) for market in message["markets"]})
        if message["last"]:
            del self._parts[name]
            before = self._channels.get(name)
            self._channels[name] = parts
            self._show(parts.ids() if before is None else before.ids() | parts.ids())
            self._confirm((name,))

    def _apply_delta(self, message: dict[str, Any]) -> None:
        name = message["channel"]
        channel = self._channels.setdefault(name, _Channel())
        for event in message.get("events", ()):
            key = event["id"]
            known = channel.events.get(key)
            if event.get("removed"):
                gone = {key, *(market for market, entry in channel.markets.items() if entry.value.get("event") == key)}
                channel.events.pop(key, None)
                for market in gone:
                    channel.markets.pop(market, None)
                self._show(gone)
            elif known is not None or "sport" in event:
                # A change with its sport is the whole event.
                value = event if known is None else {**known.value, **event}
                channel.events[key] = _Entry(value, self._number)
                self.events[key] = value
        for market in message.get("markets", ()):
            if market.get("removed"):
                self._remove_market(market["id"], name, channel)
            else:
                self._apply_market(market, channel)

    def _remove_market(self, key: str, name: str, channel: _Channel) -> None:
        gone = {key}
        channel.markets.pop(key, None)
        if name.startswith("market:"):
            # Nothing else will be said of its event in this channel.
            gone |= channel.events.keys()
            channel.events.clear()
        self._show(gone)

    def _apply_market(self, change: dict[str, Any], channel: _Channel) -> None:
        key = change["id"]
        known = channel.markets.get(key)
        if "event" in change:
            # A change with its event is the whole market.
            value = change
        elif known is not None:
            selections = dict(known.value["selections"])
            for name, selection in change.get("selections", {}).items():
                selections[name] = {**selections.get(name, {}), **selection}
            value = {**known.value, **change, "selections": selections}
        else:
            return
        channel.markets[key] = _Entry(value, self._number)
        self.markets[key] = value

    def _show(self, keys: set[str]) -> None:
        """Show of events and markets what was received last; nothing of those that no channel contains any more."""
        channels = self._channels.values()
        for key in keys:
            for shown, found in (
                (self.events, [channel.events[key] for channel in channels if key in channel.events]),
                (self.markets, [channel.markets[key] for channel in channels if key in channel.markets]),
            ):
                if found:
                    # Of the same message, the channel that was subscribed to last.
                    shown[key] = max(reversed(found), key=lambda entry: entry.number).value
                else:
                    shown.pop(key, None)
