"""An asyncio client of the stream: connects, subscribes, resumes after any break, and keeps the state up to date."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

_BACKOFF_START_S: Final = 0.1
_BACKOFF_CEILING_S: Final = 5.0
_SILENT_HEARTBEATS: Final = 2.5
#: A gateway that has fallen silent will not take part in the closing handshake either; meanwhile prices grow old.
_CLOSE_TIMEOUT_S: Final = 0.1


class OddsState:
    """What is on offer in the subscribed channels, as plain JSON values: events and markets by id."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.markets: dict[str, dict[str, Any]] = {}
        self._parts: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._named_by: dict[str, set[str]] = {}

    def apply(self, message: dict[str, Any]) -> None:
        """Apply a snapshot or delta message; others change nothing."""
        if message["op"] == "snapshot":
            self._snapshot(message)
        elif message["op"] == "delta":
            named = self._named_by.setdefault(message["channel"], set())
            for event in message.get("events", ()):
                if event.get("removed"):
                    self.events.pop(event["id"], None)
                else:
                    named.add(event["id"])
                    self.events[event["id"]] = {**self.events.get(event["id"], {}), **event}
            for market in message.get("markets", ()):
                self._market(market, named)

    def _snapshot(self, message: dict[str, Any]) -> None:
        channel = message["channel"]
        events, markets = self._parts.setdefault(channel, ({}, {}))
        if message["part"] == 1:
            events.clear()
            markets.clear()
        events.update({event["id"]: event for event in message["events"]})
        markets.update({market["id"]: market for market in message["markets"]})
        if message["last"]:
            for gone in self._named_by.get(channel, set()) - events.keys() - markets.keys():
                self.events.pop(gone, None)
                self.markets.pop(gone, None)
            self._named_by[channel] = {*events, *markets}
            self.events.update(events)
            self.markets.update(markets)
            del self._parts[channel]

    def _market(self, change: dict[str, Any], named: set[str]) -> None:
        key = change["id"]
        if change.get("removed"):
            self.markets.pop(key, None)
            return
        named.add(key)
        known = self.markets.get(key)
        if "event" in change or known is None:
            # A change that names its event is the whole market.
            self.markets[key] = change
            return
        selections = dict(known["selections"])
        for name, selection in change.get("selections", {}).items():
            selections[name] = {**selections.get(name, {}), **selection}
        self.markets[key] = {**known, **change, "selections": selections}


class OddsClient:
    """Follows channels of one gateway.

    Args:
        url: the stream's, `ws://host:port/v1/stream`; a bare `http://host:port` is completed.
        channels: what to subscribe to.
        min_interval_ms: how often to be told at most.
        token: gives the token for each connection; None where none is needed.
    """

    def __init__(
        self, url: str, channels: Sequence[str], *, min_interval_ms: int = 0, token: Callable[[], str] | None = None
    ) -> None:
        self._token = token
        self.url = stream_url(url)
        self.channels = list(channels)
        self.min_interval_ms = min_interval_ms
        self.state = OddsState()
        self.connected = False
        self.reconnects = 0
        self.resumed = 0
        #: channel -> the last `at` seen on it
        self.at: dict[str, str] = {}
        self._complete: set[str] = set()

    async def messages(self) -> AsyncGenerator[dict[str, Any], None]:
        """Give every message after it was applied to `state`; reconnects and resumes for ever.

        Raises:
            ValueError: if the gateway answers the handshake with a refusal that a retry does not mend.
        """
        failures = 0
        while True:
            try:
                async for message in self._connection():
                    failures = 0
                    yield message
            except InvalidHandshake as refusal:
                status = getattr(getattr(refusal, "response", None), "status_code", 0)
                if 400 <= status < 500:  # noqa: PLR2004 - the client's fault, by HTTP
                    raise ValueError(f"{self.url} answered {status}: not an odds stream, or not allowed") from refusal
            except (OSError, TimeoutError, WebSocketException):
                pass  # the wait below, then another try, is all there is to do
            self.connected = False
            self.reconnects += 1
            ceiling = min(_BACKOFF_CEILING_S, _BACKOFF_START_S * 2**failures)
            failures += 1
            await asyncio.sleep(random.uniform(0, ceiling))  # noqa: S311 - spreading load, not secrets

    async def _connection(self) -> AsyncGenerator[dict[str, Any], None]:
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
                self._note(message)
                self.state.apply(message)
                yield message

    def _subscription(self, number: int, channel: str) -> dict[str, Any]:
        subscription: dict[str, Any] = {"op": "subscribe", "id": number, "channels": [channel]}
        if self.min_interval_ms:
            subscription["min_interval_ms"] = self.min_interval_ms
        if channel in self.at:
            subscription["resume"] = self.at[channel]
        return subscription

    def _note(self, message: dict[str, Any]) -> None:
        """Keep the position of each channel; one whose first message has not come is where it was."""
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
    """Complete what people type (`localhost:8080`, `http://host`) to the stream's URL."""
    if "://" not in url:
        url = f"ws://{url}"
    scheme, _, rest = url.partition("://")
    scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}/{path}" if slash and path else f"{scheme}://{host}/v1/stream"
