"""The requests of a client: which channels, in which messages, from which positions; and what is refused. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final

import orjson

from oddsengine.client.recovery import TABLE, Action, Timing, code_of_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Requests that are not answered yet; more are sent once these are.
_MAX_UNANSWERED: Final = 4
_MAX_CHANNELS: Final = 100
#: No gateway may be configured for shorter messages than 1,024 bytes: a longer one might cost the connection.
_MAX_BYTES: Final = 1_000
_MIN_BYTES: Final = 256
#: Channels at different positions need a request each. Those beyond so many requests are asked for as snapshots, together.
_MAX_RESUMING: Final = 32
#: How many events a channel may have, roughly.
_WEIGHTS: Final = {"sport": 100, "competition": 10}
_FIRST_PACE_S: Final = 0.25
_MAX_PACE_S: Final = 30.0
_PACE_FACTOR: Final = 4


@dataclass
class Refusal:
    """A channel that was refused.

    Attributes:
        code: the error code.
        text: the gateway's message.
        times: how often in a row.
        due_s: when to ask again, monotonic seconds; infinity for once there is another token, None if it is being asked for.
    """

    code: str
    text: str
    times: int
    due_s: float | None


@dataclass
class _Restraint:
    """Limits on what is asked at a time; lower after the gateway has closed a connection because of it."""

    channels: int = _MAX_CHANNELS
    length: int = _MAX_BYTES
    resuming: int = _MAX_RESUMING
    pace_s: float = 0.0


@dataclass
class _Connection:
    """The requests made on the present connection."""

    #: in the order in which they are asked for
    to_ask: dict[str, None] = field(default_factory=dict)
    #: request id -> its channels that are not answered yet
    unanswered: dict[int, set[str]] = field(default_factory=dict)
    #: channels whose first message has arrived
    complete: set[str] = field(default_factory=set)
    resuming: int = 0
    next_send_s: float = 0.0
    has_answers: bool = False
    #: channels that the gateway was asked for and has not refused since
    asked: set[str] = field(default_factory=set)
    #: channels that were left and are to be unsubscribed from, in order
    to_leave: dict[str, None] = field(default_factory=dict)
    #: channels that were left -> how many requests to unsubscribe are not answered yet: until then, what arrives is not wanted
    leaving: dict[str, int] = field(default_factory=dict)


class Subscriptions:
    """The channels of one client.

    Args:
        channels: those that it follows at first; one may be given by its name.
        options: what their requests say beside them, as `min_interval_ms`.
        timing: how long to wait before a refused channel is asked for again.
    """

    def __init__(self, channels: str | Sequence[str], options: dict[str, Any], timing: Timing) -> None:
        # A text is a sequence of texts, too.
        channels = [channels] if isinstance(channels, str) else channels
        #: channel -> what its requests say beside its name
        self._options: dict[str, dict[str, Any]] = dict.fromkeys(channels, options)
        #: channel -> the last `at` received on it
        self.at: dict[str, str] = {}
        self.refused: dict[str, Refusal] = {}
        self.resumed = 0
        self._timing = timing
        self._restraint = _Restraint()
        self._connection = _Connection()
        self._last_id = 0

    def begin(self) -> None:
        """Ask for everything on a new connection."""
        self._connection = _Connection(dict.fromkeys(self._options))
        for refusal in self.refused.values():
            refusal.due_s = None

    @property
    def channels(self) -> list[str]:
        """The channels that the client follows."""
        return list(self._options)

    def add(self, channels: Iterable[str], options: dict[str, Any]) -> list[str]:
        """Follow channels. Return those that are new, or have other options now: they start with a snapshot."""
        added = [channel for channel in dict.fromkeys(channels) if self._options.get(channel) != options]
        for channel in added:
            self._options[channel] = options
            self.at.pop(channel, None)
            self._connection.to_ask[channel] = None
        return added

    def remove(self, channels: Iterable[str]) -> list[str]:
        """Follow channels no more, and forget their positions. Return those that were followed."""
        connection = self._connection
        removed = [channel for channel in dict.fromkeys(channels) if channel in self._options]
        for channel in removed:
            del self._options[channel]
            connection.to_ask.pop(channel, None)
            connection.complete.discard(channel)
            self.at.pop(channel, None)
            self.refused.pop(channel, None)
            if channel in connection.asked:
                connection.asked.discard(channel)
                connection.to_leave[channel] = None
                connection.leaving[channel] = connection.leaving.get(channel, 0) + 1
        self._settle(None, removed)
        return removed

    def wanted(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return what of a message is about channels that are followed; None if there is nothing.

        What is left over from before a channel was followed again is not about it.
        """
        channel = message.get("channel")
        if channel is not None:
            return message if self._is_awaited(channel) else None
        if not self._connection.leaving or message["op"] not in {"subscribed", "error"} or not message.get("channels"):
            return message
        awaited = [channel for channel in message["channels"] if self._is_awaited(channel)]
        return {**message, "channels": awaited} if awaited else None

    def _is_awaited(self, channel: object) -> bool:
        # A later gateway may name something else so.
        return isinstance(channel, str) and channel in self._options and channel not in self._connection.leaving

    def grant(self) -> None:
        """Ask again for the channels that wait for another token."""
        for refusal in self.refused.values():
            if refusal.due_s == inf:
                refusal.due_s = 0.0

    def forget_positions(self) -> None:
        """Ask for snapshots from now on."""
        self.at.clear()

    def restrain(self, code: str, reason: str) -> None:
        """Ask less at a time, since the connection was closed because of what was asked.

        A token with too many sessions has the same code, but there nothing was answered.
        """
        restraint = self._restraint
        if code == "1009":
            restraint.length = max(_MIN_BYTES, restraint.length // 4)
        elif self._connection.has_answers or "messages" in reason:
            restraint.pace_s = min(_MAX_PACE_S, max(_FIRST_PACE_S, restraint.pace_s * _PACE_FACTOR))
            restraint.resuming = max(1, restraint.resuming // _PACE_FACTOR)

    @property
    def next_due_s(self) -> float | None:
        """The time of the next request to send, monotonic seconds; None if only an answer or a refusal can bring one."""
        due_s = [refusal.due_s for refusal in self.refused.values() if refusal.due_s is not None and refusal.due_s < inf]
        if self._connection.to_leave:
            due_s.append(0.0)
        if self._connection.to_ask and len(self._connection.unanswered) < _MAX_UNANSWERED:
            due_s.append(self._connection.next_send_s)
        return min(due_s, default=None)

    def retry_at_s(self, channels: Iterable[str]) -> float | None:
        """Return when refused channels are asked for again, monotonic seconds; None if that is not known."""
        times_s = (self.refused[channel].due_s for channel in channels if channel in self.refused)
        return min((time_s for time_s in times_s if time_s is not None and time_s < inf), default=None)

    def due(self, now_s: float) -> list[dict[str, Any]]:
        """Return the requests to send now."""
        connection = self._connection
        for channel, refusal in self.refused.items():
            if refusal.due_s is not None and refusal.due_s <= now_s:
                refusal.due_s = None
                connection.to_ask[channel] = None
        requests: list[dict[str, Any]] = []
        while connection.to_leave:
            requests.append(self._next_leave())
        while connection.to_ask and len(connection.unanswered) < _MAX_UNANSWERED and now_s >= connection.next_send_s:
            requests.append(self._next_request())
            if self._restraint.pace_s:
                connection.next_send_s = now_s + self._restraint.pace_s
        return requests

    def receive(self, message: dict[str, Any], now_s: float) -> list[str]:
        """Handle a message. Return the channels that it refuses."""
        op = message["op"]
        connection = self._connection
        if op == "delta" or (op == "snapshot" and message["last"]):
            self.at[message["channel"]] = message["at"]
            connection.complete.add(message["channel"])
        elif op == "heartbeat":
            # Its position is that of every channel whose first message has arrived.
            for channel in connection.complete:
                self.at[channel] = message["at"]
        elif op == "subscribed":
            self._accept(message)
        elif op == "unsubscribed":
            self._left(message)
        elif op == "error":
            return self._refuse(message, now_s)
        return []

    def _accept(self, message: dict[str, Any]) -> None:
        self._answer(message.get("id"), message["channels"])
        channels = [channel for channel in message["channels"] if self._is_awaited(channel)]
        for channel in channels:
            self.refused.pop(channel, None)
        if message.get("resumed"):
            resumed = [channel for channel in channels if channel in self.at]
            self.resumed += len(resumed)
            self._connection.complete.update(resumed)
            # What there was of the others was dropped, since an error before this seemed to be about them.
            self._connection.to_ask.update(dict.fromkeys(set(channels) - set(resumed)))

    def _left(self, message: dict[str, Any]) -> None:
        leaving = self._connection.leaving
        for channel in message["channels"]:
            if leaving.get(channel, 0) > 1:
                leaving[channel] -= 1
            else:
                leaving.pop(channel, None)

    def _refuse(self, message: dict[str, Any], now_s: float) -> list[str]:
        code = code_of_error(message["code"])
        action = TABLE[code].action
        channels = self._named(message, code)
        if action is Action.REPORT or not channels:
            return []
        self._answer(message.get("id"), channels)
        channels = [channel for channel in channels if self._is_awaited(channel)]
        if action is Action.ASK_FOR_SNAPSHOT and (resuming := [channel for channel in channels if channel in self.at]):
            for channel in resuming:
                del self.at[channel]
                self._connection.to_ask[channel] = None
            channels = [channel for channel in channels if channel not in resuming]
        times = 1 + max((self.refused[channel].times for channel in channels if channel in self.refused), default=0)
        due_s = inf if action is Action.ASK_WITH_TOKEN else now_s + self._timing.ask_again_in_s(times - 1)
        for channel in channels:
            self.at.pop(channel, None)
            self._connection.complete.discard(channel)
            self._connection.asked.discard(channel)
            self.refused[channel] = Refusal(message["code"], str(message.get("message", "")), times, due_s)
        return channels

    def _named(self, message: dict[str, Any], code: str) -> list[str]:
        """Return the channels that an error is about.

        A gateway that does not name them answers a request either with an error for each channel, which quotes it, or with one
        for all.
        """
        named = message.get("channels")
        if named is not None:
            return [channel for channel in named if channel in self._options]
        if message.get("id") is None:
            everything = code == "bad_message"
            return [channel for channels in self._connection.unanswered.values() for channel in channels] if everything else []
        asked = self._connection.unanswered.get(message["id"], set())
        text = str(message.get("message", ""))
        quoted = [channel for channel in asked if repr(channel) in text or repr(channel.partition(":")[2]) in text]
        return quoted or list(asked)

    def _answer(self, request: Any, channels: Iterable[str]) -> None:
        self._connection.has_answers = True
        self._settle(request, channels)

    def _settle(self, request: Any, channels: Iterable[str]) -> None:
        """Wait no longer for what is said of channels."""
        connection = self._connection
        for key in [request] if request in connection.unanswered else list(connection.unanswered):
            connection.unanswered[key].difference_update(channels)
            if not connection.unanswered[key]:
                del connection.unanswered[key]

    def _next_request(self) -> dict[str, Any]:
        """Return a request for as many channels as one may have, of those whose snapshots would cost most first."""
        connection = self._connection
        if connection.resuming >= self._restraint.resuming:
            for channel in connection.to_ask:
                self.at.pop(channel, None)
        at = self.at
        # Channels share a request if they have the same position and options.
        groups: dict[tuple[Any, ...], list[str]] = {}
        for channel in connection.to_ask:
            groups.setdefault((at.get(channel), *self._options[channel].items()), []).append(channel)
        candidates = max(groups.values(), key=lambda channels: sum(map(_weight, channels)))
        position = at.get(candidates[0])
        self._last_id += 1
        request: dict[str, Any] = {"op": "subscribe", "id": self._last_id, "channels": [], **self._options[candidates[0]]}
        if position is not None:
            connection.resuming += 1
            request |= {"resume": position, "confirm": True}
        self._fill(request, candidates)
        for channel in request["channels"]:
            del connection.to_ask[channel]
        connection.unanswered[self._last_id] = set(request["channels"])
        connection.asked.update(request["channels"])
        return request

    def _next_leave(self) -> dict[str, Any]:
        """Return a request to unsubscribe from as many channels as one may have."""
        to_leave = self._connection.to_leave
        self._last_id += 1
        request: dict[str, Any] = {"op": "unsubscribe", "id": self._last_id, "channels": []}
        self._fill(request, list(to_leave))
        for channel in request["channels"]:
            del to_leave[channel]
        return request

    def _fill(self, request: dict[str, Any], candidates: list[str]) -> None:
        """Add channels to a request, as many as it may have."""
        length = len(orjson.dumps(request))
        for channel in candidates[: self._restraint.channels]:
            length += len(orjson.dumps(channel)) + 1
            if request["channels"] and length > self._restraint.length:
                break
            request["channels"].append(channel)


def _weight(channel: str) -> int:
    return _WEIGHTS.get(channel.partition(":")[0], 1)


def options_of(min_interval_ms: int, odds_format: str) -> dict[str, Any]:
    """Return the options of a client's requests; those that are the protocol's defaults are left out."""
    options: dict[str, Any] = {}
    if min_interval_ms:
        options["min_interval_ms"] = min_interval_ms
    if odds_format != "decimal":
        options["format"] = odds_format
    return options
