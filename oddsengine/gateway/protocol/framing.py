"""WebSocket frames (RFC 6455, section 5.2) and server-sent events, built once per audience.

With permessage-deflate (RFC 7692) each message is compressed without context takeover, so that one compressed frame serves
every client that negotiated the same window. A receiver can read such frames whatever context it keeps.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

_FIN_TEXT: Final = 0x81
_FIN_BINARY: Final = 0x82
_FIN_CLOSE: Final = 0x88
_FIN_PONG: Final = 0x8A
#: RSV1: this message is compressed (RFC 7692, section 7.2.1).
_COMPRESSED: Final = 0x40
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127
#: The end of a flushed deflate block, which the sender removes (RFC 7692, section 7.2.1).
_TAIL: Final = b"\x00\x00\xff\xff"
_pack_16: Final = Struct(">BBH").pack
_pack_64: Final = Struct(">BBQ").pack
#: Below this size compression saves nothing.
_MIN_COMPRESSED_BYTES: Final = 128
_LEVEL: Final = 6
#: zlib cannot produce raw deflate with a window of 256 bytes, and RFC 7692 does not allow a wider one in its place.
_MIN_DEFLATE_BITS: Final = 9


class Framing(NamedTuple):
    """The framing of messages for a session: as text or binary frames, optionally compressed, or as server-sent events.

    Events are chunks of the body (`are_chunks`), except for clients of HTTP/1.0, which knows none: their body ends with the
    connection. Events have ids, from which a browser resumes by itself, only where there is one channel (`has_ids`): the position
    of one channel says nothing of the others. `dialect` keeps apart what differs by more than that (`gateway.dialects`).
    """

    is_text: bool = True
    deflate_bits: int = 0
    are_events: bool = False
    are_chunks: bool = True
    has_ids: bool = True
    dialect: str = ""

    def wrap(self, payload: bytes, at: str | None = None) -> bytes:
        """Wrap a message; `at` is the position of a client that has received it, if the message has one."""
        if self.are_events:
            return event(payload, at if self.has_ids else None, chunked=self.are_chunks)
        return frame(payload, text=self.is_text, deflate_bits=self.deflate_bits)


#: Uncompressed text, which every client supports.
TEXT: Final = Framing()


def frame(payload: bytes, *, text: bool = True, deflate_bits: int = 0) -> bytes:
    """Wrap a message into one unmasked frame.

    Args:
        payload: the message.
        text: whether it is UTF-8 text, else binary.
        deflate_bits: the negotiated window (8 to 15); 0 for no compression.
    """
    head = _FIN_TEXT if text else _FIN_BINARY
    if deflate_bits >= _MIN_DEFLATE_BITS and len(payload) >= _MIN_COMPRESSED_BYTES:
        compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -deflate_bits)
        payload = (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
        head |= _COMPRESSED
    return _head(head, len(payload)) + payload


@lru_cache(maxsize=4096)
def text_head(size: int) -> bytes:
    """Build the head of an uncompressed text frame with a message of some bytes."""
    return _head(_FIN_TEXT, size)


def _head(first: int, length: int) -> bytes:
    if length < _LENGTH_16:
        return bytes((first, length))
    if length < 1 << 16:
        return _pack_16(first, _LENGTH_16, length)
    return _pack_64(first, _LENGTH_64, length)


def close_frame(code: int, reason: str) -> bytes:
    """Build a closing frame (RFC 6455, section 5.5.1)."""
    # Cut between characters: a reason that is not UTF-8 breaks the protocol, and hides the code.
    payload = code.to_bytes(2, "big") + reason.encode()[:123].decode(errors="ignore").encode()
    return bytes((_FIN_CLOSE, len(payload))) + payload


def pong_frame(payload: bytes) -> bytes:
    """Build the answer to a ping (RFC 6455, section 5.5.3) with its payload of at most 125 bytes."""
    return bytes((_FIN_PONG, len(payload))) + payload


#: Ends a body of chunks (RFC 9112, section 7.1).
LAST_CHUNK: Final = b"0\r\n\r\n"


def event(payload: bytes, at: str | None = None, *, chunked: bool = True) -> bytes:
    """Wrap a message into a server-sent event (HTML Living Standard, section 9.2).

    Args:
        payload: the message.
        at: becomes its id, which a browser sends back as `Last-Event-ID`.
        chunked: whether it is one HTTP chunk (RFC 9112, section 7.1).
    """
    head = b"" if at is None else b"id: " + at.encode() + b"\n"
    text = head + b"data: " + payload + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(text), text) if chunked else text
