"""The opening handshake of a WebSocket (RFC 6455, section 4.2), and what it negotiates."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_websocket import WS_KEY, ws_ext_gen, ws_ext_parse

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.excerpts import echoed
from oddsengine.common.http import RequestRejected, error
from oddsengine.gateway.protocol.framing import Framing

if TYPE_CHECKING:
    from collections.abc import Sequence

_WEBSOCKET: Final = "websocket"
_VERSION: Final = "13"
_KEY_BYTES: Final = 16
#: Of a refusal: what would be accepted (RFC 6455, section 4.4; RFC 9110, section 15.5.22).
_UPGRADE: Final = {"Upgrade": _WEBSOCKET, "Connection": "Upgrade", "Sec-WebSocket-Version": _VERSION}
_SWITCHING: Final = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {_WEBSOCKET}\r\nConnection: upgrade\r\n"


class Switched(web.StreamResponse):
    """The response that aiohttp gets once the connection is handed over. The answer to the handshake is written by then."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self._eof_sent = True
        self.force_close()


class Upgrade(NamedTuple):
    """A completed handshake.

    Attributes:
        head: the answer, which is to be written before anything else.
        protocol: the negotiated subprotocol; None if the client offers none that is supported.
        deflate_bits: the negotiated window of permessage-deflate; 0 for no compression.
    """

    head: bytes
    protocol: str | None
    deflate_bits: int

    def framing(self, *, text: bool = True) -> Framing:
        """Return the negotiated framing. Sockets that negotiated the same share one object."""
        return _framing(text, self.deflate_bits)


def accept(request: web.BaseRequest, protocols: Sequence[str]) -> Upgrade:
    """Answer the opening handshake. Raises RequestRejected if the request is not one.

    Args:
        request: what a client asks for.
        protocols: the supported subprotocols.
    """
    headers = request.headers
    head = f"{_SWITCHING}{hdrs.SEC_WEBSOCKET_ACCEPT}: {_accept_key(request)}\r\n"
    deflate_bits, no_takeover = ws_ext_parse(headers.get(hdrs.SEC_WEBSOCKET_EXTENSIONS), isserver=True)
    if deflate_bits:
        extension = ws_ext_gen(compress=deflate_bits, isserver=True, server_notakeover=no_takeover)
        head += f"{hdrs.SEC_WEBSOCKET_EXTENSIONS}: {extension}\r\n"
    offered = (each.strip() for each in headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(","))
    protocol = next((each for each in offered if each in protocols), None)
    if protocol is not None:
        head += f"{hdrs.SEC_WEBSOCKET_PROTOCOL}: {protocol}\r\n"
    return Upgrade(f"{head}\r\n".encode(), protocol, deflate_bits)


def _accept_key(request: web.BaseRequest) -> str:
    """Return the key that proves the handshake. Raises RequestRejected unless it is one (RFC 6455, section 4.2.1)."""
    headers = request.headers
    upgrades = {part.strip().lower() for value in headers.getall("Upgrade", ()) for part in value.split(",")}
    if _WEBSOCKET not in upgrades or request.version < HttpVersion11:
        raise RequestRejected(
            error(426, ErrorCode.BAD_REQUEST, "a WebSocket handshake is required: Upgrade: websocket", _UPGRADE)
        )
    version = headers.get("Sec-WebSocket-Version", "")
    if version.strip() != _VERSION:
        text = f"WebSocket version {echoed(version)} is not supported, only {_VERSION}"
        raise RequestRejected(error(426, ErrorCode.BAD_REQUEST, text, _UPGRADE))
    key = headers.get("Sec-WebSocket-Key", "").strip()
    try:
        size = len(base64.b64decode(key, validate=True))
    except ValueError:
        size = 0
    if size != _KEY_BYTES:
        raise RequestRejected(error(400, ErrorCode.BAD_REQUEST, "Sec-WebSocket-Key is not 16 bytes in base64"))
    if not request._message.upgrade:  # noqa: SLF001 - what the parser has found: from here on it reads no requests
        raise RequestRejected(error(400, ErrorCode.BAD_REQUEST, "the header Connection: Upgrade is required"))
    return base64.b64encode(hashlib.sha1(key.encode() + WS_KEY, usedforsecurity=False).digest()).decode()


_framing = lru_cache(Framing)
