"""Rate limits per client: token buckets, and the client address behind proxies."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Buckets kept; the least recently used is dropped first.
_MAX_BUCKETS: Final = 100_000
#: Addresses that are logged as possible proxies: anybody can send a proxy's headers.
_MAX_NOTICES: Final = 16
_log = structlog.get_logger(__name__)

_Address: TypeAlias = IPv4Address | IPv6Address | str


class Bucket:
    """A token bucket.

    Args:
        rate: tokens added per second, above 0.
        burst: the most tokens it holds, and its initial level.
    """

    __slots__ = ("_burst", "_filled_s", "_level", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = self._level = burst
        self._filled_s = 0.0

    def take(self, now_s: float, tokens: float = 1.0) -> float:
        """Take tokens and return 0.0 if there is at least one, or return the seconds until there is one."""
        level = min(self._burst, self._level + max(0.0, now_s - self._filled_s) * self._rate)
        self._filled_s = now_s
        if level < 1.0:
            self._level = level
            return (1.0 - level) / self._rate
        self._level = level - tokens
        return 0.0


class RateLimiter:
    """One token bucket per client.

    Args:
        rate: requests per second of each client; 0 for no limit. Bursts of twice the rate are allowed.
        clock: monotonic seconds.
        max_clients: buckets to keep; a client whose bucket was dropped starts with a full one.
    """

    def __init__(self, rate: float, clock: Callable[[], float], max_clients: int = _MAX_BUCKETS) -> None:
        self._rate = rate
        self._clock = clock
        self._max_clients = max_clients
        self._buckets: dict[str, Bucket] = {}
        self.rejected = 0

    def use(self, rate: float) -> None:
        """Limit to another rate from now on. Every client starts with a full bucket, unless the rate is the same."""
        if rate != self._rate:
            self._rate = rate
            self._buckets.clear()

    def delay_s(self, client: str, *, counts: bool = True) -> float:
        """Count a request, unless it only asks, and return 0.0, or return the seconds until the client may retry."""
        if not self._rate:
            return 0.0
        # Removed and inserted again: the first in the dict is the least recently used.
        bucket = self._buckets.pop(client, None) or Bucket(self._rate, max(1.0, 2 * self._rate))
        self._buckets[client] = bucket
        if len(self._buckets) > self._max_clients:
            del self._buckets[next(iter(self._buckets))]
        delay_s = bucket.take(self._clock(), 1.0 if counts else 0.0)
        self.rejected += counts and delay_s > 0
        return delay_s


class ClientAddresses:
    """Determines a client's address from its connection and the headers of trusted proxies.

    Args:
        trusted_proxies: networks, as `10.0.0.0/8`, whose `X-Forwarded-For` header is trusted.
    """

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self.use(trusted_proxies)

    def use(self, trusted_proxies: Sequence[str]) -> None:
        """Trust other networks from now on."""
        self._trusted = [ip_network(network) for network in trusted_proxies]

    def client(self, remote: str, forwarded: Sequence[str]) -> str:
        """Return a client's address: the last hop that is not a trusted proxy.

        An IPv6 address is reduced to its /64 network: a customer is assigned at least a whole one (RFC 6177) and could use
        another address for each connection.

        Args:
            remote: the address the connection comes from.
            forwarded: all values of `X-Forwarded-For`.
        """
        if not self._trusted:
            return _counted(remote)
        address = _parse(remote)
        for hop in reversed([part for value in forwarded for part in value.split(",")]):
            if not self._is_trusted(address):
                break
            address = _parse(_without_port(hop.strip()))
        return _text_of(address)

    def is_trusted(self, remote: str) -> bool:
        """Check whether a connection comes from a trusted proxy."""
        return self._is_trusted(_parse(remote))

    def _is_trusted(self, address: _Address) -> bool:
        return not isinstance(address, str) and any(address in network for network in self._trusted)


class ProxyNotices:
    """Logs, once each, the addresses that seem to be proxies which are not trusted: all of their clients share one limit."""

    def __init__(self) -> None:
        self._noted: set[str] = set()

    def note_forwarded(self, remote: str) -> None:
        """Note a request with the headers of a proxy, from an address that is not trusted."""
        self._note(remote, "proxy not trusted, its clients are limited as one")

    def note_busy(self, address: str) -> None:
        """Note an address that has reached its limit of sessions."""
        self._note(address, "sessions of one address at the limit")

    def _note(self, address: str, event: str) -> None:
        if address in self._noted or len(self._noted) >= _MAX_NOTICES:
            return
        self._noted.add(address)
        _log.warning(event, address=address, advice="if it is a proxy of yours, add it to gateway.trusted_proxies")


@lru_cache(maxsize=4096)
def _counted(text: str) -> str:
    """Return what an address is counted as."""
    return _text_of(_parse(text))


def _text_of(address: _Address) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


def _parse(text: str) -> _Address:
    """Parse an address. An IPv4-mapped IPv6 address becomes the IPv4 address; other text is returned unchanged."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _without_port(hop: str) -> str:
    """Strip the port that some proxies add, as `192.0.2.1:4711` or `[2001:db8::1]:4711`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
