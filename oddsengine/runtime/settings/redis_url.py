"""Checks the URL of a Redis before anything connects, and without repeating any part of it that may be a password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from oddsengine.common.redaction import SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import SplitResult

_SCHEMES: Final = ("redis", "rediss", "unix")
_BOOLEANS: Final = frozenset({"true", "false", "yes", "no", "1", "0"})
_CERT_REQS: Final = frozenset({"none", "optional", "required"})
_MAX_PORT: Final = 65_535
_UNENCODED: Final = re.compile(r"[\s\x00-\x1f\x7f]")
_HOST: Final = re.compile(r"[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?")
_EXAMPLE: Final = "redis://user:password@host:6379/0"


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit()


#: option -> (what its value must be, a check of it)
_OPTIONS: Final[dict[str, tuple[str, Callable[[str], bool]]]] = {
    "db": ("a number", _is_number),
    "username": ("a name", bool),
    "password": ("a password", bool),
    "client_name": ("a name without spaces", lambda value: bool(value) and " " not in value),
    "protocol": ("2 or 3", {"2", "3"}.__contains__),
    "health_check_interval": ("a number of seconds", _is_number),
    "socket_keepalive": ("true or false", _BOOLEANS.__contains__),
    "ssl_ca_certs": ("a file", bool),
    "ssl_ca_path": ("a folder", bool),
    "ssl_certfile": ("a file", bool),
    "ssl_keyfile": ("a file", bool),
    "ssl_password": ("a password", bool),
    "ssl_cert_reqs": ("none, optional or required", _CERT_REQS.__contains__),
    "ssl_check_hostname": ("true or false", _BOOLEANS.__contains__),
}
_SECRET_OPTIONS: Final = frozenset({"password", "ssl_password"})


def check_redis_url(url: str) -> None:
    """Check a URL, and register its password as a secret that is never logged.

    Raises:
        ValueError: if it can't be used, saying what is wrong with it.
    """
    scheme, separator, rest = url.partition("://")
    _keep_secret(rest)
    if not separator or scheme not in _SCHEMES:
        known = scheme if separator and scheme.isalnum() else ""
        raise ValueError(
            f"unknown scheme{f' {known}://' if known else ''}: expected redis://, rediss:// or unix://, as {_EXAMPLE}"
        )
    if _UNENCODED.search(url):
        raise ValueError("a space or control character in it: percent-encode it (a space is %20)")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(
            "brackets that enclose no IPv6 address: percent-encode those of a password, [ as %5B and ] as %5D"
        ) from None
    if ("@" not in parts.netloc and "@" in rest.partition("?")[0] + parts.fragment) or _has_credentials(parts.query):
        raise ValueError(f"a password with /, ? or # in it: percent-encode them, as %2F, %3F and %23 (as in {_EXAMPLE})")
    if parts.fragment or "#" in url:
        raise ValueError("a # in it: percent-encode it as %23")
    if scheme == "unix":
        _check_socket(parts)
    else:
        _check_server(parts)
    _check_options(parts, tls=scheme == "rediss")


def _keep_secret(rest: str) -> None:
    """Register whatever may be a password: of a URL that is not valid, all that stands before its last @."""
    credentials, at, _ = rest.rpartition("@")
    if at:
        _, colon, password = credentials.partition(":")
        SECRETS.add(unquote(password if colon else credentials))
        SECRETS.add(password if colon else credentials)
    for name, value in parse_qsl(rest.partition("?")[2]):
        if name in _SECRET_OPTIONS:
            SECRETS.add(value)


def _has_credentials(query: str) -> bool:
    """Check whether what looks like options is the end of a password with a raw ?."""
    return "@" in query and not any(f"{name}=" in query.partition("@")[0] for name in _OPTIONS)


def _check_socket(parts: SplitResult) -> None:
    if parts.netloc.rpartition("@")[2] or not parts.path.startswith("/"):
        raise ValueError("no absolute path of a socket: write unix:///run/redis.sock, with three slashes")


def _check_server(parts: SplitResult) -> None:
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(
            f"its port is not a number from 1 to {_MAX_PORT}: if it is part of a password, percent-encode that"
        ) from None
    if not host or not _HOST.fullmatch(host):
        raise ValueError(f"no valid host: write {_EXAMPLE}")
    if port == 0:
        raise ValueError(f"its port is not a number from 1 to {_MAX_PORT}")
    database = parts.path.removeprefix("/")
    if database and not _is_number(database):
        raise ValueError(f"its path is not the number of a database: write {_EXAMPLE}, or nothing after the port")


def _check_options(parts: SplitResult, *, tls: bool) -> None:
    options = parse_qsl(parts.query, keep_blank_values=True)
    if parts.query and not options:
        raise ValueError("what follows ? is no option=value")
    for name, value in options:
        if name not in _OPTIONS:
            shown = f" {name!r}" if re.fullmatch(r"[a-z_]{1,40}", name) else ""
            raise ValueError(f"unknown option{shown}: allowed are {', '.join(_OPTIONS)}")
        if name.startswith("ssl_") and not tls:
            raise ValueError(f"the option {name} needs rediss://")
        expected, is_valid = _OPTIONS[name]
        if not is_valid(value):
            raise ValueError(f"the option {name} must be {expected}")
