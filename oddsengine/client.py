"""An asyncio client of the stream: connects, subscribes, resumes after every disconnect, and maintains the current state."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

_BACKOFF_START_S: Final = 0.1
_BACKOFF_CEILING_S: Final = 5.0
#: The connection is given up after this many heartbeat intervals without a message.
_SILENT_HEARTBEATS: Final = 2.5
#: A silent gateway will not answer the closing handshake either, and prices grow old while waiting for it.
_CLOSE_TIMEOUT_S: Final = 0.1


class OddsState:
    """What is on offer in the subscribed channels: events and markets by id, as plain JSON values."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.markets: dict[str, dict[str, Any]] = {}
        #: channel -> events and markets of a snapshot whose last part has not arrived
        self._parts: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        #: channel -> ids of the events and markets that it has contained
        self._ids_by_channel: dict[str, set[str]] = {}

    def apply(self, message: dict[str, Any]) -> None:
        """Apply a snapshot or a delta. No-op for other messages."""
        if message["op"] == "snapshot":
            self._apply_snapshot(message)
        elif message["op"] == "delta":
            ids = self._ids_by_channel.setdefault(message["channel"], set())
            for event in message.get("events", ()):
                if event.get("removed"):
                    self.events.pop(event["id"], None)
                else:
                    ids.add(event["id"])
                    self.events[event["id"]] = {**self.events.get(event["id"], {}), **event}
            for market in message.get("markets", ()):
                self._apply_market(market, ids)

    def has_seen(self, channel: str, key: str) -> bool:
        """Check whether an event or market was in the last snapshot of a channel or in a delta since."""
        return key in self._ids_by_channel.get(channel, ())

    def _apply_snapshot(self, message: dict[str, Any]) -> None:
        channel = message["channel"]
        events, markets = self._parts.setdefault(channel, ({}, {}))
        if message["part"] == 1:
            events.clear()
            markets.clear()
        events.update({event["id"]: event for event in message["events"]})
        markets.update({market["id"]: market for market in message["markets"]})
        if message["last"]:
            for removed in self._ids_by_channel.get(channel, set()) - events.keys() - markets.keys():
                self.events.pop(removed, None)
                self.markets.pop(removed, None)
            self._ids_by_channel[channel] = {*events, *markets}
            self.events.update(events)
            self.markets.update(markets)
            del self._parts[channel]

    def _apply_market(self, change: dict[str, Any], ids: set[str]) -> None:
        key = change["id"]
        if change.get("removed"):
            self.markets.pop(key, None)
            return
        ids.add(key)
        known = self.markets.get(key)
        if "event" in change or known is None:
            # A change with its event is the whole market.
            self.markets[key] = change
            return
        selections = dict(known["selections"])
        for name, selection in change.get("selections", {}).items():
            selections[name] = {**selections.get(name, {}), **selection}
        self.markets[key] = {**known, **change, "selections": selections}


class OddsClient:
    """Follows channels of one gateway.

    Args:
        url: the stream's URL, `ws://host:port/v1/stream`; `http://host:port` and `host:port` are completed to it.
        channels: the channels to subscribe to.
        min_interval_ms: the shortest time between two updates of a channel.
        token: returns the token for each connection; None where none is required.
        sleep: waits before a reconnect, seconds.
    """

    def __init__(
        self,
        url: str,
        channels: Sequence[str],
        *,
        min_interval_ms: int = 0,
        token: Callable[[], str] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._token = token
        self._sleep = sleep
        self.url = stream_url(url)
        self.channels = list(channels)
        self.min_interval_ms = min_interval_ms
        self.state = OddsState()
        self.connected = False
        self.reconnects = 0
        self.resumed = 0
        #: channel -> the last `at` received on it
        self.at: dict[str, str] = {}
        #: channels whose first message has arrived on this connection
        self._complete: set[str] = set()
        #: when the gateway has asked to reconnect, milliseconds after the disconnect
        self._reconnect_ms: int | None = None

    async def messages(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield every message after applying it to `state`. Reconnects and resumes until cancelled.

        After a `bye` it reconnects when the gateway has asked it to, else with exponential backoff and full jitter.

        Raises:
            ValueError: if the gateway rejects the handshake in a way that a retry cannot fix.
        """
        failures = 0
        while True:
            try:
                # Closed before this generator is: a connection left to the garbage collector ends in an error of its own.
                async with aclosing(self._connection()) as connection:
                    async for message in connection:
                        failures = 0
                        yield message
            except InvalidHandshake as refusal:
                status = getattr(getattr(refusal, "response", None), "status_code", 0)
                if 400 <= status < 500:  # noqa: PLR2004 - a client error (RFC 9110, 15.5)
                    raise ValueError(f"{self.url} answered {status}: not an odds stream, or access was denied") from refusal
            except (OSError, TimeoutError, WebSocketException):
                pass  # reconnect below
            self.connected = False
            self.reconnects += 1
            if self._reconnect_ms is not None:
                delay_s = self._reconnect_ms / 1000
                self._reconnect_ms = None
            else:
                ceiling_s = min(_BACKOFF_CEILING_S, _BACKOFF_START_S * 2**failures)
                delay_s = random.uniform(0, ceiling_s)  # noqa: S311 - spreads load, no secret
                failures += 1
            await self._sleep(delay_s)

    async def _connection(self) -> AsyncGenerator[dict[str, Any], None]:
        """Connect, subscribe, and yield messages until the connection ends."""
        self._complete.clear()
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token()}"}
        subprotocols = [Subprotocol("odds.v1.json")]
        async with connect(
            self.url,
            compression=None,
            max_size=None,
            subprotocols=subprotocols,
            additional_headers=headers,
            close_timeout=_CLOSE_TIMEOUT_S,
        ) as socket:
            heartbeat_s = 5.0
            while True:
                async with asyncio.timeout(heartbeat_s * _SILENT_HEARTBEATS):
                    received = await socket.recv()
                message = orjson.loads(received)
                if message["op"] == "welcome":
                    self.connected = True
                    heartbeat_s = message["heartbeat_ms"] / 1000
                    for number, channel in enumerate(self.channels):
                        await socket.send(orjson.dumps(self._subscription(number, channel)).decode())
                elif message["op"] == "bye":
                    self._reconnect_ms = message["reconnect_ms"]
                self._track_positions(message)
                self.state.apply(message)
                yield message

    def _subscription(self, number: int, channel: str) -> dict[str, Any]:
        subscription: dict[str, Any] = {"op": "subscribe", "id": number, "channels": [channel]}
        if self.min_interval_ms:
            subscription["min_interval_ms"] = self.min_interval_ms
        if channel in self.at:
            subscription["resume"] = self.at[channel]
        return subscription

    def _track_positions(self, message: dict[str, Any]) -> None:
        """Update the channels' positions. A heartbeat moves only those whose first message has arrived."""
        op = message["op"]
        if op == "delta" or (op == "snapshot" and message["last"]):
            self.at[message["channel"]] = message["at"]
            self._complete.add(message["channel"])
        elif op == "subscribed" and message["resumed"]:
            self.resumed += 1
            self._complete.update(message["channels"])
        elif op == "heartbeat":
            for channel in self._complete:
                self.at[channel] = message["at"]


def stream_url(url: str) -> str:
    """Return the stream's URL for a complete URL, `host:port` or `http://host`."""
    if "://" not in url:
        url = f"ws://{url}"
    scheme, _, rest = url.partition("://")
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}/{path}" if slash and path else f"{scheme}://{host}/v1/stream"
