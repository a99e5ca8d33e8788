"""Signs that a request has come through a proxy: whoever has sent it then is not whoever has connected."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion11

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

_PORT: Final = re.compile(r":[0-9]+$")
#: What proxies, balancers and networks of caches add, in lower case.
_HEADERS: Final = frozenset(
    [
        "forwarded",
        "forwarded-for",
        "via",
        "client-ip",
        "true-client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-proxyuser-ip",
        "x-remote-ip",
        "x-remote-addr",
        "x-real-ip",
        "x-real-port",
        "x-host",
        "x-scheme",
        "x-url-scheme",
        "x-server-name",
        "x-nginx-proxy",
        "x-varnish",
        "front-end-https",
        "proxy-connection",
        "max-forwards",
        "cdn-loop",
        "fly-client-ip",
        "incap-client-ip",
        "x-sucuri-clientip",
        "x-middleton-ip",
    ]
)
_PREFIXES: Final = (
    *("x-forwarded", "x-original-", "x-proxy-", "x-envoy-", "x-amz-", "x-amzn-", "x-azure-", "x-arr-", "x-appengine-"),
    *("x-cloud-", "x-akamai-", "x-edge-", "x-goog-", "x-vercel-", "x-nf-", "cf-", "cloudfront-", "fastly-", "tailscale-"),
)


def has_proxy_headers(names: Iterable[str]) -> bool:
    """Check whether any header of a request is one that a proxy has added."""
    return any(name in _HEADERS or name.startswith(_PREFIXES) for name in map(str.lower, names))


def is_direct(request: web.Request) -> bool:
    """Check that nothing of a request says that a proxy has sent it.

    A proxy that adds no header may still be known by its HTTP/1.0, as nginx's is by default. One that adds nothing at all and
    speaks HTTP/1.1 can't be known.
    """
    return request.version >= HttpVersion11 and not has_proxy_headers(request.headers)


def is_local_name(host: str) -> bool:
    """Check whether the host of a request is an address, or a name that always is this machine's."""
    name = _PORT.sub("", host).lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
