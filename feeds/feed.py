"""The plug-in contract of feeds: what a package implements to connect a provider.

A package offers a feed through an entry point of the group `oddsengine.feeds`, whose object is a `FeedPlugin`. The plug-in opens
a `Feed`: a `Codec`, which implements the provider's protocol without I/O, and the parts that carry its bytes. A codec that only
streams implements `Codec` alone. Everything else is a separate ability with a protocol of its own: `Poller` (HTTP requests),
`Ticker` (updates caused by time), `Verifier` (snapshots to check the stream against). `docs/adding-a-feed.md` walks through an
example.

`feeds.supervision` runs every feed: it connects, retries, watches for silence and decides whether a source can be trusted. An
adapter does none of this.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import msgspec

from feeds.errors import ProviderRefused
from feeds.transports.http import HttpClient
from oddsengine.domain.feed_updates import UpdateBatch

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from feeds.transports.http import Request, Response

ENTRY_POINTS = "oddsengine.feeds"


# -- events ---------------------------------------------------------------------------------------------------------


class Rejected(msgspec.Struct, frozen=True):
    """A part of a message that could not be used. The other parts of the message were used.

    `where` names the part (`message`, `market 1.23`), `reason` says what is wrong with it, `excerpt` is how it begins.
    """

    where: str
    reason: str
    excerpt: str


class Unreadable(Rejected, frozen=True):
    """A response that could not be used at all, such as an error page that came with 200: as good as none."""


class Dropped(msgspec.Struct, frozen=True):
    """A message ignored on purpose, as the protocol requires. Only counted."""

    reason: str


class VerificationSnapshot(msgspec.Struct, frozen=True):
    """Current state that the provider sent on request, to be compared with what it has streamed.

    A snapshot may arrive in several parts; the last one has `is_last` set.
    """

    batches: list[UpdateBatch]
    is_last: bool = True


class Quota(msgspec.Struct, frozen=True):
    """The used and the remaining part of a feed's request allowance, in the provider's own units."""

    used: float
    remaining: float


#: What a codec returns, in order. Nothing follows a `ProviderRefused` on the same connection.
CodecEvent: TypeAlias = UpdateBatch | Rejected | Dropped | VerificationSnapshot | Quota | ProviderRefused


# -- the codec and its abilities ------------------------------------------------------------------------------------


class Codec(Protocol):
    """A provider's protocol without I/O: bytes in, events out, bytes to send.

    One codec serves any number of connections, one after the other, so that it can resume a subscription.
    A codec reports its source as live with a `SourceStatus` update once a recovery is complete.
    """

    def connection_made(self) -> None:
        """Begin a new connection: discard the state of the last one, except what a resume needs."""
        ...

    def reset(self) -> None:
        """Discard the resume state, so that the next connection begins with a full snapshot."""
        ...

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Decode bytes, which may be split anywhere. Never raises because of their content."""
        ...

    def data_to_send(self) -> bytes:
        """Return the bytes to write now, each once. Empty if there are none."""
        ...

    @property
    def silence_limit_s(self) -> float:
        """Seconds without any bytes (for a feed that only polls: without a good response) after which the feed is stale."""
        ...


class Poller(Protocol):
    """The ability to make HTTP requests."""

    def next_request(self, now_ms: int) -> Request | None:
        """Return the next request that is due, or None. Each is returned once, and is due again if it fails."""
        ...

    def next_due_ms(self) -> int | None:
        """Return when a request will be due (Unix milliseconds). None if only a response or a message can make one due."""
        ...

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Decode a response, or handle the lack of one. Never raises because of its content."""
        ...


class Ticker(Protocol):
    """The ability to produce updates because time has passed, such as when a market reaches its cut-off."""

    def tick(self, now_ms: int) -> list[CodecEvent]:
        """Return what has become due by `now_ms` (Unix milliseconds). Called several times a second."""
        ...


class Verifier(Protocol):
    """The ability to fetch the current state again, which distinguishes a quiet market from a frozen feed."""

    def request_verification(self) -> None:
        """Schedule a `VerificationSnapshot`. It may fail to arrive."""
        ...


# -- the transport --------------------------------------------------------------------------------------------------


class Connection(Protocol):
    """An open connection to a provider."""

    async def read(self) -> bytes:
        """Wait for bytes; empty if the provider has closed the connection. May be cancelled.

        Raises:
            OSError: if the connection broke.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            OSError: if the connection broke.
        """
        ...


class Transport(Protocol):
    """Opens connections to a provider, one for each attempt."""

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection that lasts as long as the context.

        Raises:
            OSError: if it can't be opened; TLS and DNS errors are `OSError`s.
            feeds.errors.FeedError: if the provider refuses it.
        """
        ...


# -- the plug-in ----------------------------------------------------------------------------------------------------


class Feed(NamedTuple):
    """A provider that is ready to be connected to, by stream, by HTTP requests, or by both.

    Attributes:
        sources: the source names its updates carry: one, or one for each bookmaker.
        codec: the provider's protocol. In most adapters it is also the poller, the ticker and the verifier.
        transport: opens the stream; None if the feed only polls.
        poller: what to request; requires `http`.
        http: carries the poller's requests.
        ticker: produces updates as time passes.
        verifier: fetches verification snapshots.
        poll_interval_s: seconds between polls. Prices can't change faster than this; 0 for a stream.
    """

    sources: tuple[str, ...]
    codec: Codec
    transport: Transport | None = None
    poller: Poller | None = None
    http: HttpClient | None = None
    ticker: Ticker | None = None
    verifier: Verifier | None = None
    poll_interval_s: float = 0.0


class FeedPlugin(Protocol):
    """The object behind a provider's entry point."""

    @property
    def config_type(self) -> type[msgspec.Struct]:
        """The type of the provider's config block."""
        ...

    def sources(self, name: str, config: Any) -> tuple[str, ...]:
        """Return the source names of a feed, most preferred first: its own name, or one for each bookmaker it quotes."""
        ...

    def open(self, name: str, config: Any) -> AbstractAsyncContextManager[Feed]:
        """Open the feed, with the resources it needs, for as long as the context lasts.

        Args:
            name: the feed's name in the config.
            config: an instance of `config_type`.

        Raises:
            feeds.errors.FeedError: if something is missing, such as a secret.
        """
        ...

    def offline(self, name: str, config: Any) -> Feed:
        """Build the feed without secrets and connections, to replay recordings through its codec."""
        ...


class RecordingReader(Protocol):
    """Reads a provider's own recordings line by line."""

    def read_line(self, line: bytes) -> list[CodecEvent]:
        """Decode one recorded message. Never raises because of its content; bad content becomes `Rejected`."""
        ...


class NativeRecordings(Protocol):
    """The ability of a plug-in to read recordings in the provider's own format, one message a line."""

    def recording_reader(self, source: str) -> RecordingReader:
        """Return a reader whose updates carry the name `source`."""
        ...


def installed_feeds() -> dict[str, FeedPlugin]:
    """Return the installed feeds by name: the built-in ones and those of other packages."""
    return {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)}
