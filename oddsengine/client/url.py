"""The URL of a gateway's stream."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def stream_url(url: str) -> str:
    """Return the stream's URL for a complete URL, `host:port`, `http://host` or the folder that a proxy serves, `http://host/odds/`.

    Raises:
        ValueError: if it is not a URL of http, https, ws or wss.
    """
    full = url if "://" in url else f"ws://{url}"
    try:
        parts = urlsplit(full)
        scheme = _SCHEMES[parts.scheme]
        path = f"{parts.path or '/'}v1/stream" if not parts.path or parts.path.endswith("/") else parts.path
        found = parts._replace(scheme=scheme, path=path, fragment="").geturl()
        parse_uri(found).host.encode("idna")
    except KeyError:
        raise ValueError(f"{url!r}: not a URL of http, https, ws or wss") from None
    except (ValueError, InvalidURI) as error:
        raise ValueError(f"{url!r} is not the URL of a gateway: {getattr(error, 'msg', error)}") from None
    return found
