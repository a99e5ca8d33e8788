"""The options of commands that are clients of a gateway, and what to say when it refuses them or does not answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from oddsengine.cli.support import fail

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine

_T = TypeVar("_T")
_NOT_FOUND: Final = 404
#: What to do about a refusal, by the status of the answer or the row of the table in docs/protocol.md.
_ADVICE: Final = {
    "401": "give a valid token, by --token or ODDSENGINE_TOKEN",
    "4401": "give a valid token, by --token or ODDSENGINE_TOKEN",
    "4408": "give a token, by --token or ODDSENGINE_TOKEN",
    "403": "ask for a token that grants it",
    "forbidden": "ask for a token that grants the channel",
    "404": "check the name, and that the address is a gateway's, as localhost:8080",
    "unknown_channel": "`curl http://HOST:PORT/v1/events` lists what is on offer",
    "unreachable": "is the gateway running there, and is that its address?",
    "tls": "give its authority's certificate by --ca, or http:// where it has no TLS",
}

TokenOption = Annotated[str | None, typer.Option(envvar="ODDSENGINE_TOKEN", help="Access token, if one is required.")]
CaOption = Annotated[
    Path | None, typer.Option(envvar="ODDSENGINE_CA", help="Trust the certificates of this PEM file instead of the system's.")
]


def tls_context(ca: Path | None) -> ssl.SSLContext | None:
    """Return the context of a connection that trusts the certificates of a file; None for the system's.

    Raises:
        ValueError: if the file can't be loaded.
    """
    if ca is None:
        return None
    import ssl  # noqa: PLC0415 - commands without one start faster

    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"--ca {ca} can't be loaded: {error.strerror or error}") from None


def with_advice(text: str, code: str) -> str:
    """Return a refusal with what to do about it, if that is known of its code."""
    advice = _ADVICE.get(code)
    return text if advice is None else f"{text} ({advice})"


def ask_gateway(url: str, asking: Coroutine[object, object, _T]) -> _T:
    """Return what a gateway answers. End the command with what is wrong, and what to do, if it refuses or does not answer.

    Args:
        url: the gateway.
        asking: asks it.
    """
    try:
        return _answered(url, asking)
    except (OSError, ValueError) as error:
        fail(error)


def _answered(url: str, asking: Coroutine[object, object, _T]) -> _T:
    """Return what a gateway answers. Raises ValueError with what is wrong and what to do about it."""
    import aiohttp  # noqa: PLC0415 - commands without one start faster

    from oddsengine.client.errors import RequestRefused  # noqa: PLC0415 - as above

    try:
        return asyncio.run(asking)
    except RequestRefused as error:
        # What a gateway does not find, it names itself.
        is_named = error.status == _NOT_FOUND and bool(error.code)
        raise ValueError(str(error) if is_named else with_advice(str(error), str(error.status))) from error
    except aiohttp.ClientConnectorCertificateError as error:
        reason = getattr(error.certificate_error, "verify_message", "") or "not valid"
        raise ValueError(with_advice(f"the certificate of {url} is not trusted: {reason}", "tls")) from error
    except aiohttp.ClientSSLError as error:
        raise ValueError(with_advice(f"TLS with {url} failed", "tls")) from error
    except aiohttp.ClientConnectorDNSError as error:
        raise ValueError(with_advice(f"the name of {url} can't be resolved", "unreachable")) from error
    except (TimeoutError, aiohttp.ClientError) as error:
        refused = isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError)
        what = "refuses connections" if refused else "does not answer as a gateway does"
        raise ValueError(with_advice(f"{url} {what}", "unreachable")) from error
