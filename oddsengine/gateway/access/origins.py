"""The pages that may connect, by their origin (RFC 6454, section 7): exact ones, and all subdomains of a host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.common.excerpts import echoed

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Browsers leave these ports out of an origin (RFC 6454, section 6.2).
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_MAX_PORT: Final = 65_535
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[^/?#@:\s\[\]]+)(?::(?P<port>[0-9]{1,5}))?"
)
_ANY: Final = "*"
#: What browsers send from files and sandboxed frames.
_OPAQUE: Final = "null"


class Origin(NamedTuple):
    """Scheme, host and port (None: the scheme's default), as browsers compare them. The host may begin with `*.`."""

    scheme: str
    host: str
    port: int | None


def parse_origin(text: str) -> Origin:
    """Parse an origin. Upper case, a default port and a slash at the end make no difference.

    Raises:
        ValueError: if it is none, with what is wrong.
    """
    found = _ORIGIN.fullmatch(text.strip().lower().removesuffix("/"))
    if found is None:
        reason = "an origin is a scheme and a host, as https://shop.example, without a path"
        raise ValueError(
            f"{echoed(text)} is not an origin: {reason}" if "://" in text else f"{echoed(text)} has no scheme: {reason}"
        )
    scheme, host = found["scheme"], found["host"]
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port <= _MAX_PORT:
        raise ValueError(f"{echoed(text)}: {port} is not a port")
    if _ANY in host.removeprefix("*."):
        raise ValueError(f"{echoed(text)}: only all subdomains can be named, as https://*.shop.example, or * for any page")
    if not host.isascii():
        host = host.encode("idna").decode()
    return Origin(scheme, host, None if port == _DEFAULT_PORTS.get(scheme) else port)


class AllowedOrigins:
    """Decides which pages may connect.

    Args:
        allowed: origins as `https://shop.example`, subdomains as `https://*.shop.example`, `null`, and `*` for any; if empty,
            any.

    Raises:
        ValueError: if one of them is not an origin.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self.use(allowed)

    def use(self, allowed: Iterable[str]) -> None:
        """Allow other origins from now on. Raises ValueError if one of them is none."""
        texts = {text.strip() for text in allowed}
        self._any = not texts or _ANY in texts
        self._opaque = _OPAQUE in texts
        origins = [parse_origin(text) for text in texts - {_ANY, _OPAQUE}]
        self._exact = frozenset(origin for origin in origins if not origin.host.startswith("*."))
        self._parents = frozenset(
            origin._replace(host=origin.host.removeprefix("*.")) for origin in origins if origin.host.startswith("*.")
        )

    @property
    def allows_any(self) -> bool:
        """Whether the pages of every origin may connect."""
        return self._any

    def allows(self, origin: str) -> bool:
        """Check whether the page of an `Origin` header may connect."""
        if self._any:
            return True
        if origin == _OPAQUE:
            return self._opaque
        try:
            found = parse_origin(origin)
        except ValueError:
            return False
        if found in self._exact:
            return True
        labels = found.host.split(".")
        return any(found._replace(host=".".join(labels[start:])) in self._parents for start in range(1, len(labels)))
