"""Packets: the unit of recordings. Each holds one input of a feed's codec, or a decision of its supervisor.

A recording is a text file with one JSON object a line. The first line of each file is a `Header`, the others are `Packet`s.
Played through the same codec with the same config, they produce the same updates, because a codec has no other inputs.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from feeds.errors import BadMessage
from feeds.transports.http import Request, Response
from oddsengine.domain.feed_updates import SourceHealth

#: Increased when the format changes incompatibly.
FORMAT: Final = 1


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line of a file of a recording.

    Attributes:
        oddsengine_recording: the version of the format.
        feed: the feed's name.
        adapter: the name of its adapter.
        began_ms: when the recording began, Unix milliseconds; identifies the recording together with `feed`.
        part: the number of the file within the recording, from 1.
        config: the feed's config block, which contains no secrets.
    """

    oddsengine_recording: int
    feed: str
    adapter: str
    began_ms: int
    part: int
    config: msgspec.Raw = msgspec.Raw(b"{}")


class Packet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input of the codec, or the health that the supervisor published.

    Attributes:
        at_ms: when it happened by our clock, Unix milliseconds.
        kind: `opened` (a connection was made), `reset` (the codec was reset; `afresh` in older recordings), `sample` (a
            verification was requested), `asked` (the next request was taken), `data` (bytes of the stream), `response`, `time`
            (a tick), or `status` (a new health).
        text: the bytes of `data` or of a `response`, or the reason of a `status`.
        raw: the bytes if they are not UTF-8; base64 in the file.
        request: what a `response` answers.
        status: the HTTP status of a `response`.
        headers: its headers.
        error: why there was no response.
        health: the health of a `status`.
    """

    at_ms: int
    kind: Literal["opened", "reset", "afresh", "sample", "asked", "data", "response", "time", "status"]
    text: str | None = None
    raw: bytes | None = None
    request: Request | None = None
    status: int = 0
    headers: dict[str, str] = {}
    error: str = ""
    health: SourceHealth | None = None

    @property
    def body(self) -> bytes:
        """The bytes received."""
        return self.text.encode() if self.text is not None else self.raw or b""

    @property
    def response(self) -> Response:
        """The response in a packet of kind `response`."""
        request = self.request or Request(name="", url="")
        return Response(
            request=request, status=self.status, at_ms=self.at_ms, body=self.body, headers=self.headers, error=self.error
        )


def data_packet(at_ms: int, data: bytes) -> Packet:
    """Return a packet with bytes of a stream."""
    text, raw = _text_or_raw(data)
    return Packet(at_ms=at_ms, kind="data", text=text, raw=raw)


def response_packet(response: Response) -> Packet:
    """Return a packet with a response; the stand-in if the response is secret."""
    stand_in = response.request.stand_in
    text, raw = _text_or_raw(stand_in if stand_in is not None and response.ok else response.body)
    return Packet(
        at_ms=response.at_ms,
        kind="response",
        text=text,
        raw=raw,
        # The request for a secret may contain one too.
        request=response.request if stand_in is None else msgspec.structs.replace(response.request, body=b""),
        status=response.status,
        headers=response.headers,
        error=response.error,
    )


def _text_or_raw(data: bytes) -> tuple[str | None, bytes | None]:
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return None, data


encode_line = msgspec.json.Encoder().encode
_decode_packet = msgspec.json.Decoder(Packet).decode
_decode_header = msgspec.json.Decoder(Header).decode


def decode_packet(line: bytes) -> Packet:
    """Decode a packet. Raises BadMessage if it can't be decoded."""
    try:
        return _decode_packet(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage("packet", str(error)) from error


def decode_header(line: bytes) -> Header | None:
    """Decode the first line of a file. None if the file is not one of our recordings."""
    if b'"oddsengine_recording"' not in line:
        return None
    try:
        return _decode_header(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage("header", str(error)) from error
