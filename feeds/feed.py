"""What a feed is: a provider seen through a codec without I/O, and what carries its bytes.

A package offers its feed as an entry point of the group `oddsengine.feeds` whose object is a `FeedPlugin`. A codec that only
streams implements `Codec`; what else it can do (ask over HTTP, watch the time, fetch a sample) are abilities of their own, and
`Feed` says which of them it has.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import msgspec

from feeds.errors import ProviderRefused
from feeds.transports.http import HttpClient
from oddsengine.domain.feed_updates import UpdateBatch

if TYPE_CHECKING:
    import ssl
    from contextlib import AbstractAsyncContextManager

    from feeds.emulators.core.market_model import Truth
    from feeds.transports.http import Request, Response

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


class VerificationSnapshot(msgspec.Struct, frozen=True):
    """What the provider says when asked again for what it should have streamed, to be held against what is held.

    It may come in parts; `is_last` is the one with which all of it was said.
    """

    batches: list[UpdateBatch]
    is_last: bool = True


class Quota(msgspec.Struct, frozen=True):
    """What a provider lets us use, and what is left of it; `used` and `remaining` are in the provider's own units."""

    used: float
    remaining: float


#: What comes out of a codec, in order. After a refusal nothing more comes on this connection.
CodecEvent: TypeAlias = UpdateBatch | Rejected | Dropped | VerificationSnapshot | Quota | ProviderRefused


class Codec(Protocol):
    """A provider's protocol without I/O: bytes in, events out, bytes to send.

    It outlives connections, so that a resumed subscription finds the state it continues.
    """

    def connection_made(self) -> None:
        """Begin a new connection: forget what belonged to the last one, keep what a resume needs."""
        ...

    def reset(self) -> None:
        """Forget what a resume would continue: the next connection begins with a whole snapshot."""
        ...

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Take bytes as they come off the wire; never raises for what is in them."""
        ...

    def data_to_send(self) -> bytes:
        """Hand over what must be written now; empty if nothing."""
        ...

    @property
    def silence_limit_s(self) -> float:
        """Seconds without any bytes (for a feed that only polls: without a good answer) after which nothing can be trusted."""
        ...


class Poller(Protocol):
    """The ability to ask over HTTP: what is due, and what becomes of the answers."""

    def next_request(self, now_ms: int) -> Request | None:
        """Hand over the next request that is due, each once; None if none is. A failed one becomes due again."""
        ...

    def next_due_ms(self) -> int | None:
        """Tell when a request will be due (Unix milliseconds); None if only an answer or a message can make one due."""
        ...

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Take an answer, or that there was none; never raises for what is in it."""
        ...


class Ticker(Protocol):
    """The ability to say something only because time has passed, such as that a market has reached its cut-off."""

    def tick(self, now_ms: int) -> list[CodecEvent]:
        """Say what the time (Unix milliseconds) makes of what is known; called several times a second."""
        ...


class Verifier(Protocol):
    """The ability to fetch again what was streamed, so that a quiet market can be told from a frozen feed."""

    def request_verification(self) -> None:
        """Make a sample due; it comes as a `VerificationSnapshot`, if it comes."""
        ...


class Connection(Protocol):
    """An open connection to a provider."""

    async def read(self) -> bytes:
        """Wait for bytes; empty when the provider has closed. Raises OSError if the connection broke; may be cancelled."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes. Raises OSError if the connection broke."""
        ...


class Transport(Protocol):
    """Connects to the provider; called anew for each attempt."""

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection for as long as the context lasts.

        Raises OSError (which TLS and DNS errors are) or FeedError if it can't be opened.
        """
        ...


class Feed(NamedTuple):
    """A provider ready to be connected to, by stream, by requests, or by both.

    `sources` are the names its updates carry: one, or one a bookmaker. The abilities are the codec itself where it has them.
    `poll_interval_s` is how often it is asked at most: nothing can move faster than that.
    """

    sources: tuple[str, ...]
    codec: Codec
    transport: Transport | None = None
    poller: Poller | None = None
    http: HttpClient | None = None
    ticker: Ticker | None = None
    verifier: Verifier | None = None
    poll_interval_s: float = 0.0


class RecordingReader(Protocol):
    """Reads one line of a provider's own recordings at a time."""

    def read_line(self, line: bytes) -> list[CodecEvent]:
        """Turn one recorded message into events; never raises for bad content, it rejects it."""
        ...


class FeedPlugin(Protocol):
    """One provider's entry point."""

    @property
    def config_type(self) -> type[msgspec.Struct]:
        """The type of the provider's config block."""
        ...

    def sources(self, name: str, config: Any) -> tuple[str, ...]:
        """Name the sources of a feed, most preferred first: its own name, or one a bookmaker it quotes."""
        ...

    def open(self, name: str, config: Any) -> AbstractAsyncContextManager[Feed]:
        """Make the feed ready, with whatever it needs for as long as it is open.

        Args:
            name: the feed's name in the config.
            config: an instance of `config_type`.

        Raises:
            feeds.errors.FeedError: if the config lacks something, such as a secret.
        """
        ...

    def offline(self, name: str, config: Any) -> Feed:
        """Build the feed's codec alone, without secrets and connections, to play recordings through."""
        ...


class NativeRecordings(Protocol):
    """The ability of a plugin to read recordings in the provider's own form, one message a line."""

    def recording_reader(self, source: str) -> RecordingReader:
        """Build what reads this provider's recordings."""
        ...


class Emulator(Protocol):
    """A provider on loopback: a real server that speaks its protocol, over a truth that it can be asked for, and misbehaves."""

    @property
    def truth(self) -> Truth:
        """What it tells."""
        ...

    @property
    def port(self) -> int:
        """Where it listens."""
        ...

    @property
    def kinds(self) -> frozenset[str]:
        """Name what it can do wrong."""
        ...

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Begin to listen; `port` 0 takes a free one."""
        ...

    async def stop(self) -> None:
        """Close every connection and stop."""
        ...

    def misbehave(self, kind: str, seconds: float = 5.0) -> None:
        """Do something wrong, once or for a while (`seconds` 0 ends it). Raises ValueError if it does not know `kind`."""
        ...

    def pause(self, *, paused: bool) -> None:
        """Let the truth stand still, or move again."""
        ...

    def config(self) -> dict[str, Any]:
        """Give what a feed's config block needs to reach it; after `start`."""
        ...


class Emulated(Protocol):
    """The ability of a plugin to emulate its provider."""

    def emulator(self, truth: Truth) -> Emulator:
        """Build the provider over a truth."""
        ...

    def emulated_secrets(self) -> dict[str, str]:
        """Give the environment variables that a feed of the emulator needs, with values that it takes."""
        ...


def installed_feeds() -> dict[str, FeedPlugin]:
    """Find the feeds installed here by name, the built-in ones and others' alike."""
    return {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)}
