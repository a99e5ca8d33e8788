"""Server-sent events without I/O: bytes in, events out.

Source: WHATWG HTML standard, section 9.2.6 "Interpreting an event stream".
"""

from __future__ import annotations

from typing import Final, NamedTuple

from feeds.errors import BadMessage

#: Longer events are refused: no provider sends them.
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024


class ServerSentEvent(NamedTuple):
    """One event. `id` is the last event id received so far."""

    event: str
    data: bytes
    id: str


class EventStreamReader:
    """Decodes one event stream. Bytes may be split anywhere.

    Args:
        max_event_bytes: the maximum size of an event.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._buffer = b""
        self._event = ""
        self._data: list[bytes] = []
        self._id = ""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Return the events that these bytes complete.

        Raises:
            BadMessage: if an event is too large.
        """
        text = self._buffer + data
        # A trailing CR may be the first half of a CRLF.
        held = b"\r" if text.endswith(b"\r") else b""
        lines = (text[:-1] if held else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._buffer = lines.pop() + held
        if len(self._buffer) + sum(map(len, self._data)) > self._max_event_bytes:
            raise BadMessage("event stream", f"an event of over {self._max_event_bytes} bytes")
        events: list[ServerSentEvent] = []
        for line in lines:
            if line:
                self._field(line)
            else:
                if self._data:
                    events.append(ServerSentEvent(self._event or "message", b"\n".join(self._data), self._id))
                self._event, self._data = "", []
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
