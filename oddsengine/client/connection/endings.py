"""The causes of connections that ended or were never made, from the exceptions of the libraries."""

from __future__ import annotations

import http
import socket
import ssl
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    ProxyError,
    WebSocketException,
)
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from oddsengine.client.recovery import code_of_closing, code_of_status

if TYPE_CHECKING:
    from websockets.http11 import Response

#: What opening, reading and writing a connection may raise. ImportError: a SOCKS proxy without the library for it.
CONNECTION_ERRORS: Final = (OSError, TimeoutError, WebSocketException, ImportError)
#: What a gateway answers to a handshake that has lost its `Upgrade` header.
_NO_UPGRADE: Final = frozenset({400, 426})


class ProtocolFault(WebSocketException):
    """Something was received that is not a message of `odds.v1`."""


class Silence(WebSocketException):
    """Nothing was received for too long."""


class Ending(NamedTuple):
    """The reason why there is no connection.

    Attributes:
        code: the row of the recovery table.
        text: what happened, for people.
        retry_after: the header of an answer that has one.
    """

    code: str
    text: str
    retry_after: str | None = None


def ending_of(error: BaseException, url: str) -> Ending:
    """Return why a connection ended.

    Args:
        error: one of `CONNECTION_ERRORS`.
        url: what was connected to.
    """
    if isinstance(error, ConnectionClosed):
        return _closing(error, url)
    if isinstance(error, InvalidStatus):
        return _answer(error.response, url)
    if isinstance(error, Silence):
        return Ending("silence", str(error))
    if isinstance(error, ProxyError | InvalidProxy | ImportError):
        return Ending("unreachable", f"{_target(url)}: {_proxy_problem(error)}")
    if isinstance(error, InvalidHandshake | InvalidURI | ProtocolFault) and not _is_unanswered(error):
        return Ending("protocol", f"{_target(url)} is not an odds stream: {error}")
    return Ending("unreachable", f"no connection to {_target(url)}: {_network_problem(error)}")


def unusable(url: str) -> str:
    """Describe a URL that can't be connected to. A proxy's is not quoted: part of its password may be mistaken for the port."""
    if get_proxy(parse_uri(url)) is None:
        return f"{url} can't be connected to"
    return "the URL of the proxy that the environment asks for is not valid"


def _closing(error: ConnectionClosed, url: str) -> Ending:
    if error.rcvd is None:
        return Ending("closed", f"the connection to {_target(url)} was lost")
    reason = f": {error.rcvd.reason}" if error.rcvd.reason else ""
    return Ending(code_of_closing(error.rcvd.code), f"the gateway closed the connection with {error.rcvd.code:d}{reason}")


def _answer(response: Response, url: str) -> Ending:
    status = response.status_code
    phrase = http.HTTPStatus(status).phrase if status in {known.value for known in http.HTTPStatus} else ""
    detail = _message_of(response.body) or phrase
    text = f"{_target(url)} answered {status}{f' ({detail})' if detail else ''}"
    code = code_of_status(status)
    if status in _NO_UPGRADE:
        text += ": no WebSocket, unless a proxy in between does not pass on the upgrade"
    elif code in {"404", "4xx", "other"}:
        text += ": not an odds stream"
    return Ending(code, text, response.headers.get("Retry-After"))


def _message_of(body: bytes | bytearray | None) -> str:
    """Return the message of an error answer of a gateway."""
    try:
        return str(orjson.loads(body or b"")["error"]["message"])
    except (ValueError, TypeError, KeyError):
        return ""


def _is_unanswered(error: BaseException) -> bool:
    """Check whether a connection was closed before anything was received."""
    return isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError | OSError)


def _network_problem(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error})"
    if isinstance(error, socket.gaierror):
        return f"the name can't be resolved ({error.strerror})"
    if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
        return "connection refused, or no way there"
    if isinstance(error, TimeoutError | InvalidMessage):
        return "no answer in time" if isinstance(error, TimeoutError) else "it was closed without an answer"
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _proxy_problem(error: BaseException) -> str:
    if isinstance(error, InvalidProxyStatus):
        return f"the proxy answered {error.response.status_code}"
    return f"the proxy can't be used: {error.msg if isinstance(error, InvalidProxy) else error}"


def _target(url: str) -> str:
    """Return host and port, and those of the proxy that the environment asks for, without its credentials."""
    uri = parse_uri(url)
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    target = f"{host}:{uri.port}"
    proxy = get_proxy(uri)
    return target if proxy is None else f"{target} through the proxy {proxy.rpartition('@')[2].rpartition('//')[2].rstrip('/')}"
