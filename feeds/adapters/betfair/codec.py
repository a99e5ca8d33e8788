"""The Betfair Exchange Stream session, without I/O: bytes in, feed updates out, bytes to send.

    waiting ── connection ──> authenticating ── status ok ──> subscribing ── status ok ──> recovering ── image ──> live
       any state ── status failure ──> ProviderRefused; INVALID_CLOCK ──> subscribing afresh

The table below is the whole machine. `live` means that the image (or, after a resume, the delta) of the current
subscription has been applied whole: before that nothing the source said may be offered.

Source: Exchange Stream API documentation, "Connection", "Authentication", "Re-subscription".
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

import msgspec

from feeds.adapters.betfair.account import Account, AccountUrls
from feeds.adapters.betfair.market_stream import MarketStream, decode
from feeds.errors import BadMessage, ProviderRefused
from feeds.feed import CodecEvent, Dropped, Rejected, VerificationSnapshot
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.feed_updates import MarketGone, SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from feeds.adapters.betfair.account import CatalogueMarket
    from feeds.adapters.betfair.messages import Message
    from feeds.transports.http import Request, Response

CRLF: Final = b"\r\n"
#: A line longer than this is not Betfair: segments keep images far below it.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024

#: Errors that no retry mends: the operator must change a key, a login or the subscription.
FATAL_CODES: Final = frozenset(
    {"NO_APP_KEY", "INVALID_APP_KEY", "NOT_AUTHORIZED", "INVALID_INPUT", "SUBSCRIPTION_LIMIT_EXCEEDED"}
)


#: The session token is good no more; a new login mends it.
SESSION_CODES: Final = frozenset({"NO_SESSION", "INVALID_SESSION_INFORMATION"})


class State(Enum):
    """Where the session stands."""

    WAITING = "waiting"
    AUTHENTICATING = "authenticating"
    SUBSCRIBING = "subscribing"
    RECOVERING = "recovering"
    LIVE = "live"


#: (state, what came) -> state
TRANSITIONS: Final[dict[tuple[State, str], State]] = {
    (State.WAITING, "connection"): State.AUTHENTICATING,
    (State.AUTHENTICATING, "accepted"): State.SUBSCRIBING,
    (State.SUBSCRIBING, "accepted"): State.RECOVERING,
    (State.SUBSCRIBING, "recovered"): State.LIVE,  # an image may overtake the status of its subscription
    (State.RECOVERING, "recovered"): State.LIVE,
    (State.SUBSCRIBING, "invalid clock"): State.SUBSCRIBING,
    (State.RECOVERING, "invalid clock"): State.SUBSCRIBING,
}


class Subscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to subscribe to, in Betfair's words."""

    market_filter: dict[str, list[str]] = {}
    fields: tuple[str, ...] = ("EX_MARKET_DEF", "EX_BEST_OFFERS", "EX_LTP")
    ladder_levels: int = 3
    conflate_ms: int = 0
    heartbeat_ms: int = 5000


class BetfairCodec:
    """One source's session over any number of connections.

    Args:
        source: the name updates carry.
        app_key: Betfair application key.
        session_token: Betfair session token ("ssoid").
        subscription: what to ask for.
        account: keeps the session and asks for names; None: the session token lasts and ids stand in for names.
    """

    def __init__(
        self,
        source: str,
        app_key: str,
        session_token: str | None,
        subscription: Subscription,
        account: Account | None = None,
    ) -> None:
        self.source = source
        self._app_key = app_key
        self.account = account or Account(None, session_token, AccountUrls("", ""), keep_alive_s=0, names=False)
        self.account.on_session = self._authenticate
        self.account.on_names = self._name
        self._subscription = subscription
        self._stream = MarketStream(source)
        self._stream.wants_names = self.account.wants_names
        self._named: list[CodecEvent] = []
        self._newest_pt = 0
        self._is_sampling = False
        self._state = State.WAITING
        self._buffer = b""
        self._outgoing: list[bytes] = []
        self._next_id = 0
        self._initial_clk: str | None = None
        self._clk: str | None = None
        self._resuming = False
        self._heartbeat_ms = subscription.heartbeat_ms

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._state

    @property
    def silence_limit_s(self) -> float:
        """Two heartbeats and a half: one may be late, two missing means a dead connection."""
        return self._heartbeat_ms * 2.5 / 1000

    def connection_made(self) -> None:
        """Begin a new connection; clocks and known markets stay, so that the subscription can be resumed."""
        self._state = State.WAITING
        self._buffer = b""
        self._outgoing.clear()
        self._is_sampling = False
        self._newest_pt = 0
        self.account.connection_made()
        self._stream.subscription = None
        self._stream.lagging = False
        self._stream.forget_segments()

    def reset(self) -> None:
        """Forget the clocks: the next subscription begins with an image."""
        self._initial_clk = self._clk = None

    def request_verification(self) -> None:
        """Subscribe once more, for an image of everything; the stream goes on under the new subscription."""
        if self._state is State.LIVE:
            self._is_sampling = True
            self._subscribe(reset=True)

    def next_request(self, now_ms: int) -> Request | None:
        """Ask what the account needs."""
        return self.account.next_request(now_ms)

    def next_due_ms(self) -> int | None:
        """Tell when the account needs something."""
        return self.account.next_due_ms()

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Take an answer to the account; names that came with it are said."""
        events = self.account.receive_response(response)
        named, self._named = self._named, []
        return events + named

    def data_to_send(self) -> bytes:
        """Hand over what must be written now."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Take bytes as they come; see `feeds.feed.Codec`."""
        lines = (self._buffer + data if self._buffer else data).split(CRLF)
        self._buffer = lines.pop()
        events: list[CodecEvent] = []
        try:
            for line in lines:
                if line:
                    self._receive_line(line, events)
        except ProviderRefused as refusal:
            events.append(refusal)
        if len(self._buffer) > MAX_LINE_BYTES:
            text = f"a line of over {MAX_LINE_BYTES} bytes without an end"
            events.append(ProviderRefused("LINE_TOO_LONG", text, fatal=False))
        return events

    def _receive_line(self, line: bytes, events: list[CodecEvent]) -> None:
        try:
            message, rejected = decode(line)
        except BadMessage as error:
            events.append(Rejected(error.where, error.reason, excerpt(line)))
            # It may have held any change of any market: only a resume from the last good clock mends it, and where the
            # recovery itself was unreadable, only a fresh image.
            if self._state is not State.LIVE:
                self._initial_clk = self._clk = None
            raise ProviderRefused(
                "UNREADABLE", "a message could not be read; resuming from the last good one", fatal=False
            ) from error
        events += rejected
        if message.op == "mcm":
            # A market whose change is lost may be wrong until its next image: it is withdrawn alone.
            lost = [MarketGone(event.where.removeprefix("market ")) for event in rejected]
            if lost:
                events.append(UpdateBatch(self.source, message.pt, [*lost]))
            self._market_change(message, events)
        elif message.op == "status":
            self._status(message, events)
        elif message.op == "connection":
            self._advance("connection")
            if self.account.session_token is not None:
                self._authenticate()
        else:
            events.append(Dropped(f"op {message.op}"))

    def _market_change(self, message: Message, events: list[CodecEvent]) -> None:
        if message.pt is not None:
            if message.pt < self._newest_pt and self._is_current(message):
                # Rows are absolute: an older one that comes later would stand. Only an image leaves nothing of it.
                self.reset()
                text = f"a message of {message.pt} came after one of {self._newest_pt}; starting from an image"
                raise ProviderRefused("OUT_OF_ORDER", text, fatal=False)
            self._newest_pt = message.pt
        stream_events = self._stream.receive(message)
        if self._stream.unnamed:
            self.account.want_names(self._stream.unnamed)
            self._stream.unnamed = []
        if self._is_sampling and message.ct == "SUB_IMAGE" and message.segment_type in {None, "NONE", "SEG_END"}:
            stream_events = self._as_sample(stream_events)
        events += stream_events
        if any(isinstance(event, Dropped) for event in stream_events):
            return
        if message.heartbeat_ms:
            self._heartbeat_ms = message.heartbeat_ms
        complete = message.segment_type in {None, "NONE", "SEG_END"}
        if complete:
            self._initial_clk = message.initial_clk or self._initial_clk
            self._clk = message.clk or self._clk
        # After a resume with nothing to tell the provider may begin with a heartbeat; after a fresh subscription an image comes.
        recovery = {"SUB_IMAGE", "RESUB_DELTA", "HEARTBEAT"} if self._resuming else {"SUB_IMAGE"}
        if complete and message.ct in recovery and self._state is not State.LIVE and message.status is None:
            self._advance("recovered")
            events.append(UpdateBatch(self.source, message.pt, [SourceStatus("live", f"{message.ct} applied")]))

    def _is_current(self, message: Message) -> bool:
        return message.id is None or self._stream.subscription is None or message.id == self._stream.subscription

    def _as_sample(self, events: list[CodecEvent]) -> list[CodecEvent]:
        if any(isinstance(event, Dropped) for event in events):
            return events
        self._is_sampling = False
        return [VerificationSnapshot([event for event in events if isinstance(event, UpdateBatch)])]

    def _status(self, message: Message, events: list[CodecEvent]) -> None:
        if message.status_code == "SUCCESS":
            if self._state is State.AUTHENTICATING:
                self._advance("accepted")
                self._subscribe()
            elif self._state is State.SUBSCRIBING:
                self._advance("accepted")
            return
        code = message.error_code or "UNKNOWN"
        if code == "INVALID_CLOCK" and self._clk is not None and not message.connection_closed:
            events.append(Dropped("clk refused"))
            self._initial_clk = self._clk = None
            self._advance("invalid clock")
            self._subscribe()
            return
        if code == "INVALID_CLOCK":
            self._initial_clk = self._clk = None
        fatal = code in FATAL_CODES or (code in SESSION_CODES and not self.account.can_log_in)
        if code in SESSION_CODES:
            self.account.session_ended()
        raise ProviderRefused(code, message.error_message or "no reason given", fatal=fatal)

    def _advance(self, what: str) -> None:
        following = TRANSITIONS.get((self._state, what))
        if following is None:
            raise ProviderRefused("UNEXPECTED", f"{what!r} came while {self._state.value}", fatal=False)
        self._state = following

    def _authenticate(self) -> None:
        """Say who we are, as soon as there are a connection and a session."""
        if self._state is State.AUTHENTICATING:
            self._send({"op": "authentication", "appKey": self._app_key, "session": self.account.session_token})

    def _name(self, found: list[CatalogueMarket], asked: list[str]) -> None:
        batch = self._stream.name(found, asked)
        if batch.updates:
            self._named.append(batch)

    def _subscribe(self, *, reset: bool = False) -> None:
        wanted = self._subscription
        message: dict[str, object] = {
            "op": "marketSubscription",
            "marketFilter": wanted.market_filter,
            "marketDataFilter": {"fields": wanted.fields, "ladderLevels": wanted.ladder_levels},
            "conflateMs": wanted.conflate_ms,
            "heartbeatMs": wanted.heartbeat_ms,
            "segmentationEnabled": True,
        }
        self._resuming = not reset and self._clk is not None and self._initial_clk is not None
        if self._resuming:
            message |= {"initialClk": self._initial_clk, "clk": self._clk}
        self._stream.subscription = self._send(message)
        self._stream.forget_segments()

    def _send(self, message: dict[str, object]) -> int:
        self._next_id += 1
        self._outgoing.append(msgspec.json.encode({"id": self._next_id, **message}) + CRLF)
        return self._next_id
