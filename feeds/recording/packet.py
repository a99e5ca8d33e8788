"""What a feed received, as it was received: the unit of recordings.

A recording is a text file of one JSON object a line. The first line of each file is a `Header`; the others are `Packet`s: raw
bytes with the time they came, and what the supervisor said of the source meanwhile. Played through the same codec with the
same config they give the same updates, because a codec knows nothing but what it is given.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from feeds.errors import BadMessage
from feeds.transports.http import Request, Response
from oddsengine.domain.feed_updates import SourceHealth

#: Raised when what is written changes its meaning.
FORMAT: Final = 1


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a file of a recording holds: packets of one feed, the `part`-th file of it.

    `began_ms` names the recording together with the feed; `config` is the feed's own block, which holds no secrets.
    """

    oddsengine_recording: int
    feed: str
    adapter: str
    began_ms: int
    part: int
    config: msgspec.Raw = msgspec.Raw(b"{}")


class Packet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was received, asked or said by the supervisor; `at_ms` is our clock, Unix milliseconds.

    `opened`, `afresh`, `sample`, `asked` and `time` are what the codec was told; `status` is what the supervisor said.
    `text` or, where it is none, `raw` (base64) are the bytes of `data` and of a `response`.
    """

    at_ms: int
    kind: Literal["opened", "afresh", "sample", "asked", "data", "response", "time", "status"]
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
        """The answer a packet of kind `response` holds."""
        request = self.request or Request(name="", url="")
        return Response(
            request=request, status=self.status, at_ms=self.at_ms, body=self.body, headers=self.headers, error=self.error
        )


def data_packet(at_ms: int, data: bytes) -> Packet:
    """Note bytes that came off a stream."""
    text, raw = _text_or_raw(data)
    return Packet(at_ms=at_ms, kind="data", text=text, raw=raw)


def response_packet(response: Response) -> Packet:
    """Note an answer; a secret one as its stand-in."""
    stand_in = response.request.stand_in
    text, raw = _text_or_raw(stand_in if stand_in is not None and response.ok else response.body)
    return Packet(
        at_ms=response.at_ms,
        kind="response",
        text=text,
        raw=raw,
        # What was asked may hold a secret too where the answer is one.
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
    """Read a packet. Raises BadMessage if it is none."""
    try:
        return _decode_packet(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage("packet", str(error)) from error


def decode_header(line: bytes) -> Header | None:
    """Read the first line of a file; None if it is not one of ours."""
    if b'"oddsengine_recording"' not in line:
        return None
    try:
        return _decode_header(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage("header", str(error)) from error
