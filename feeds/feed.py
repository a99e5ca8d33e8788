"""What a feed is: a provider seen through a codec without I/O and a transport that carries its bytes.

A package offers its feed as an entry point of the group `oddsengine.feeds` whose object is a `FeedPlugin`.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import msgspec

from feeds.errors import ProviderRefused
from oddsengine.markets.feed_updates import UpdateBatch

if TYPE_CHECKING:
    import asyncio
    from contextlib import AbstractAsyncContextManager

ENTRY_POINTS = "oddsengine.feeds"


class Rejected(msgspec.Struct, frozen=True):
    """A part of a message that could not be used; its neighbours were.

    `where` names the part (`message`, `market 1.23`), `reason` says what is wrong, `excerpt` is its beginning.
    """

    where: str
    reason: str
    excerpt: str


class Dropped(msgspec.Struct, frozen=True):
    """A message left out on purpose, as the protocol asks; only counted."""

    reason: str


#: What comes out of a codec, in order. After a refusal nothing more comes on this connection.
CodecEvent: TypeAlias = UpdateBatch | Rejected | Dropped | ProviderRefused


class Codec(Protocol):
    """A provider's protocol without I/O: bytes in, events out, bytes to send.

    It outlives connections, so that a resumed subscription finds the state it continues.
    """

    def connection_made(self) -> None:
        """Begin a new connection: forget what belonged to the last one, keep what a resume needs."""
        ...

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Take bytes as they come off the wire; never raises for what is in them."""
        ...

    def data_to_send(self) -> bytes:
        """Hand over what must be written now; empty if nothing."""
        ...

    @property
    def silence_limit_s(self) -> float:
        """Seconds without any bytes after which the connection is dead."""
        ...


class RecordingReader(Protocol):
    """Reads one recorded line at a time."""

    def read_line(self, line: bytes) -> list[CodecEvent]:
        """Turn one recorded message into events; never raises for bad content, it rejects it."""
        ...


class Transport(Protocol):
    """Connects to the provider; called anew for each attempt."""

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection. Raises OSError (which TLS and DNS errors are) if it can't be opened."""
        ...


class Feed(NamedTuple):
    """A provider ready to be connected to."""

    codec: Codec
    transport: Transport


class FeedPlugin(Protocol):
    """One provider's entry point."""

    @property
    def config_type(self) -> type[msgspec.Struct]:
        """The type of the provider's config block."""
        ...

    def open(self, source: str, config: Any) -> AbstractAsyncContextManager[Feed]:
        """Make the feed ready, with whatever it needs for as long as it is open.

        Args:
            source: the name its updates carry.
            config: an instance of `config_type`.

        Raises:
            feeds.errors.FeedError: if the config lacks something, such as a secret.
        """
        ...

    def recording_reader(self, source: str) -> RecordingReader:
        """Build what reads this provider's recordings."""
        ...


def installed_feeds() -> dict[str, FeedPlugin]:
    """Find the feeds installed here by name, the built-in ones and others' alike."""
    return {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)}
