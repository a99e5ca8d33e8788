"""How much one client may use, so that one at its limit does not slow another: addresses, proxies, rates."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Addresses remembered: the ones unseen for longest are forgotten first.
_ADDRESSES_KEPT: Final = 100_000

_Address: TypeAlias = IPv4Address | IPv6Address | str


class Bucket:
    """A token bucket: `rate` a second, `burst` at once.

    Args:
        rate: refill a second, over 0.
        burst: the most it holds.
    """

    __slots__ = ("_burst", "_filled_s", "_level", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = self._level = burst
        self._filled_s = 0.0

    def take(self, now_s: float) -> float:
        """Take one; give 0.0, or in how many seconds there will be one again."""
        level = min(self._burst, self._level + max(0.0, now_s - self._filled_s) * self._rate)
        self._filled_s = now_s
        if level < 1.0:
            self._level = level
            return (1.0 - level) / self._rate
        self._level = level - 1.0
        return 0.0


class Rates:
    """One bucket a client.

    Args:
        rate: a second for each client; 0 limits nobody.
        clock: monotonic seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self.refused = 0

    def wait_s(self, client: str) -> float:
        """Count one for a client; give 0.0, or in how many seconds it may come again."""
        if not self._rate:
            return 0.0
        # Taken out and put back: the first in the table is the one unseen for longest.
        bucket = self._buckets.pop(client, None) or Bucket(self._rate, max(1.0, 2 * self._rate))
        self._buckets[client] = bucket
        if len(self._buckets) > _ADDRESSES_KEPT:
            del self._buckets[next(iter(self._buckets))]
        wait = bucket.take(self._clock())
        self.refused += wait > 0
        return wait


class Addresses:
    """Tells where a request comes from: by the socket, or by what proxies that are trusted say.

    Args:
        trusted_proxies: networks, as `10.0.0.0/8`, whose `X-Forwarded-For` is believed.
    """

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._trusted = [ip_network(network) for network in trusted_proxies]

    def client(self, remote: str, forwarded: Sequence[str]) -> str:
        """Name the client: by the last address that no trusted proxy has as its own.

        Of an IPv6 address it is the network of 64 bits: a customer gets a whole one at least (RFC 6177), and could come from
        another address of it each time.

        Args:
            remote: where the connection comes from.
            forwarded: all values of `X-Forwarded-For`.
        """
        address = _parsed(remote)
        if self._trusted:
            for hop in reversed([part for value in forwarded for part in value.split(",")]):
                if not self._is_trusted(address):
                    break
                address = _parsed(_without_port(hop.strip()))
        if isinstance(address, IPv6Address):
            return str(IPv6Network((int(address) >> 64 << 64, 64)))
        return str(address)

    def _is_trusted(self, address: _Address) -> bool:
        return not isinstance(address, str) and any(address in network for network in self._trusted)


def _parsed(text: str) -> _Address:
    """Read an address; one of IPv4 written as IPv6 is what it is, and what is none stays as it is."""
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
