"""The URL of a Redis: what it names, checked before anything connects.

No part of it that may be a password is ever repeated. This module loads no client: settings use it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote

from oddsengine.common.redaction import SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable

_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_CERT_REQS: Final = frozenset({"none", "optional", "required"})
_MAX_PORT: Final = 65_535
_UNENCODED: Final = re.compile(r"[\s\x00-\x1f\x7f]")
#: authority, path, options, fragment
_PARTS: Final = re.compile(r"([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?", re.DOTALL)
_HOST: Final = re.compile(r"[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?")
_ENCLOSED: Final = re.compile(r"\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?)\](?::(.*))?")


Topology: TypeAlias = Literal["server", "socket", "sentinel", "cluster"]


class _Scheme(NamedTuple):
    topology: Topology
    default_port: int
    example: str
    tls: bool = False


_SERVER: Final = "redis://user:password@host:6379/0"
_SENTINEL: Final = "redis+sentinel://user:password@host:26379,host:26379/master/0"
_CLUSTER: Final = "redis+cluster://user:password@host:6379,host:6379"
_SCHEMES: Final = {
    "redis": _Scheme("server", 6379, _SERVER),
    "rediss": _Scheme("server", 6379, _SERVER, tls=True),
    "unix": _Scheme("socket", 0, "unix:///run/redis.sock"),
    "redis+sentinel": _Scheme("sentinel", 26_379, _SENTINEL),
    "rediss+sentinel": _Scheme("sentinel", 26_379, _SENTINEL, tls=True),
    "redis+cluster": _Scheme("cluster", 6379, _CLUSTER),
    "rediss+cluster": _Scheme("cluster", 6379, _CLUSTER, tls=True),
}


class RedisAddress(NamedTuple):
    """The parts of a URL.

    Attributes:
        topology: one server, one server of this machine by its socket, a primary that Sentinels watch, or a Cluster.
        nodes: the host and port of the server, of each Sentinel, or of some servers of the Cluster.
        path: of the socket.
        master: the name under which Sentinels watch the primary.
        tls: whether connections are encrypted.
        db: the number of the database.
        username: None for the default user.
        password: None where none is needed.
        options: the other options, as the client's own arguments.
    """

    topology: Topology
    nodes: tuple[tuple[str, int], ...]
    path: str
    master: str
    tls: bool
    db: int
    username: str | None
    password: str | None
    options: Mapping[str, Any]


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit()


def _boolean(value: str) -> bool:
    return _BOOLEANS[value]


#: option -> (what its value must be, a check of it, what converts it)
_OPTIONS: Final[dict[str, tuple[str, Callable[[str], bool], Callable[[str], Any]]]] = {
    "db": ("a number", _is_number, int),
    "username": ("a name", bool, str),
    "password": ("a password", bool, str),
    "client_name": ("a name without spaces", lambda value: bool(value) and " " not in value, str),
    "protocol": ("2 or 3", {"2", "3"}.__contains__, int),
    "health_check_interval": ("a number of seconds", _is_number, int),
    "socket_keepalive": ("true or false", _BOOLEANS.__contains__, _boolean),
    "sentinel_username": ("a name", bool, str),
    "sentinel_password": ("a password", bool, str),
    "ssl_ca_certs": ("a file", bool, str),
    "ssl_ca_path": ("a folder", bool, str),
    "ssl_certfile": ("a file", bool, str),
    "ssl_keyfile": ("a file", bool, str),
    "ssl_password": ("a password", bool, str),
    "ssl_cert_reqs": ("none, optional or required", _CERT_REQS.__contains__, str),
    "ssl_check_hostname": ("true or false", _BOOLEANS.__contains__, _boolean),
}
_SECRET_OPTIONS: Final = frozenset({"password", "sentinel_password", "ssl_password"})
#: What the client of a Cluster has no argument for.
_NOT_OF_CLUSTERS: Final = frozenset({"ssl_ca_path", "ssl_password"})


def parse_redis_url(url: str) -> RedisAddress:
    """Parse a URL, and register its passwords as secrets that are never logged.

    Raises:
        ValueError: if it can't be used, saying what is wrong with it.
    """
    name, separator, rest = url.partition("://")
    _keep_secret(rest)
    scheme = _SCHEMES.get(name)
    if not separator or scheme is None:
        known = name if separator and name.replace("+", "").isalnum() else ""
        raise ValueError(
            f"unknown scheme{f' {known}://' if known else ''}: expected redis://, rediss://, unix://, redis+sentinel:// or "
            f"redis+cluster://, as {_SERVER}"
        )
    if _UNENCODED.search(url):
        raise ValueError("a space or control character in it: percent-encode it (a space is %20)")
    parts = _PARTS.fullmatch(rest)
    assert parts is not None  # noqa: S101 - it matches any text
    authority, path, query, fragment = parts[1], parts[2], parts[3] or "", parts[4] or ""
    credentials, _, hosts = authority.rpartition("@")
    if (not credentials and "@" in path + fragment) or _has_credentials(query):
        raise ValueError(f"a password with /, ? or # in it: percent-encode them, as %2F, %3F and %23 (as in {scheme.example})")
    if fragment:
        raise ValueError("a # in it: percent-encode it as %23")
    if "[" in credentials or "]" in credentials:
        raise ValueError("brackets that enclose no IPv6 address: percent-encode those of a password, [ as %5B and ] as %5D")
    topology = scheme.topology
    options = _parse_options(query, topology, tls=scheme.tls)
    username, _, password = credentials.partition(":")
    nodes = () if topology == "socket" else tuple(_node(each, scheme) for each in _listed(hosts, topology))
    master, db = _parse_path(path, hosts, scheme)
    db = options.pop("db", db)
    if topology == "cluster" and db:
        raise ValueError("a Cluster has database 0 only")
    return RedisAddress(
        topology,
        nodes,
        unquote(path) if topology == "socket" else "",
        master,
        scheme.tls,
        db,
        options.pop("username", unquote(username) or None),
        options.pop("password", unquote(password) or None),
        options,
    )


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


def _listed(hosts: str, topology: Topology) -> list[str]:
    return hosts.split(",") if topology in {"sentinel", "cluster"} else [hosts]


def _node(address: str, scheme: _Scheme) -> tuple[str, int]:
    """Return the host and port of one address."""
    enclosed = _ENCLOSED.fullmatch(address)
    if enclosed:
        host, port = enclosed[1], enclosed[2]
    elif "[" in address or "]" in address:
        raise ValueError("brackets that enclose no IPv6 address: percent-encode those of a password, [ as %5B and ] as %5D")
    else:
        host, colon, given = address.partition(":")
        port = given if colon else None
    if not host or not _HOST.fullmatch(host):
        raise ValueError(f"no valid host: write {scheme.example}")
    number = int(port) if port and _is_number(port) else 0
    if port is None:
        return host, scheme.default_port
    if not 0 < number <= _MAX_PORT:
        raise ValueError(f"its port is not a number from 1 to {_MAX_PORT}: if it is part of a password, percent-encode that")
    return host, number


def _parse_path(path: str, hosts: str, scheme: _Scheme) -> tuple[str, int]:
    """Return the name of the primary and the number of the database that a path names."""
    master, database = "", path.removeprefix("/")
    if scheme.topology == "socket":
        if hosts or not path.startswith("/"):
            raise ValueError("no absolute path of a socket: write unix:///run/redis.sock, with three slashes")
        return "", 0
    if scheme.topology == "sentinel":
        master, _, database = database.partition("/")
        if not master:
            raise ValueError(f"its path names no primary: write {scheme.example}")
    if database and not _is_number(database):
        raise ValueError(f"its path is not the number of a database: write {scheme.example}, or nothing after it")
    return unquote(master), int(database or 0)


def _parse_options(query: str, topology: Topology, *, tls: bool) -> dict[str, Any]:
    options = parse_qsl(query, keep_blank_values=True)
    if query and not options:
        raise ValueError("what follows ? is no option=value")
    converted: dict[str, Any] = {}
    for name, value in options:
        if name not in _OPTIONS:
            shown = f" {name!r}" if re.fullmatch(r"[a-z_]{1,40}", name) else ""
            raise ValueError(f"unknown option{shown}: allowed are {', '.join(_OPTIONS)}")
        if name.startswith("ssl_") and not tls:
            raise ValueError(f"the option {name} needs rediss://")
        if name.startswith("sentinel_") and topology != "sentinel":
            raise ValueError(f"the option {name} needs redis+sentinel://")
        if topology == "cluster" and name in _NOT_OF_CLUSTERS:
            raise ValueError(f"the option {name} can't be used with a Cluster")
        expected, is_valid, convert = _OPTIONS[name]
        if not is_valid(value):
            raise ValueError(f"the option {name} must be {expected}")
        converted[name] = convert(value)
    return converted
