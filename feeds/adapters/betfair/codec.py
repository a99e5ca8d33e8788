"""The Betfair Exchange Stream session, without I/O: bytes in, feed updates out, bytes to send.

`session_states` holds its state machine, `market_stream` translates the market changes, `account` looks after the HTTP side.

Source: Exchange Stream API documentation, "Connection", "Authentication", "Re-subscription".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from feeds.adapters.betfair.account import Account, AccountUrls
from feeds.adapters.betfair.decoding import decode_message
from feeds.adapters.betfair.market_stream import MarketStream
from feeds.adapters.betfair.session_states import SESSION_TRANSITIONS, TRUSTED, SessionState, SessionTrigger
from feeds.errors import BadMessage, ProviderRefused
from feeds.feed import CodecEvent, Dropped, Rejected, VerificationSnapshot
from oddsengine.common.excerpts import excerpt
from oddsengine.domain.feed_updates import MarketGone, SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from feeds.adapters.betfair.messages import CatalogueMarket, Message, Subscription
    from feeds.transports.http import Request, Response

CRLF: Final = b"\r\n"
#: A longer line can't come from Betfair: segments keep images far below this size.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024

#: The types of change message that complete a recovery. A resume without changes may be answered with a heartbeat; a new
#: subscription is always answered with an image.
_AFTER_SUBSCRIPTION: Final = frozenset({"SUB_IMAGE"})
_AFTER_RESUME: Final = frozenset({"SUB_IMAGE", "RESUB_DELTA", "HEARTBEAT"})

#: Errors that no retry resolves: the operator must change a key, a login or the subscription.
FATAL_CODES: Final = frozenset(
    {"NO_APP_KEY", "INVALID_APP_KEY", "NOT_AUTHORIZED", "INVALID_INPUT", "SUBSCRIPTION_LIMIT_EXCEEDED"}
)
#: The session token has expired; a new login resolves it.
SESSION_CODES: Final = frozenset({"NO_SESSION", "INVALID_SESSION_INFORMATION"})


class BetfairCodec:
    """One source's session over any number of connections.

    Args:
        source: the source of its updates.
        app_key: Betfair application key.
        session_token: Betfair session token ("ssoid"); unused if `account` is given.
        subscription: what to subscribe to.
        account: keeps the session alive and looks up names; None: `session_token` is used as given, and ids replace names.
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
        self.account.on_names = self._apply_names
        self._subscription = subscription
        self._stream = MarketStream(source)
        self._stream.wants_names = self.account.wants_names
        #: batches with names, until `receive_response` returns them
        self._named: list[CodecEvent] = []
        self._newest_pt = 0
        self._state = SessionState.WAITING
        self._buffer = b""
        self._outgoing: list[bytes] = []
        self._next_id = 0
        self._initial_clk: str | None = None
        self._clk: str | None = None
        #: the types of change message that complete the recovery of the present subscription
        self._recovered_by = _AFTER_SUBSCRIPTION
        self._heartbeat_ms = subscription.heartbeat_ms

    @property
    def state(self) -> SessionState:
        """The state of the session."""
        return self._state

    @property
    def silence_limit_s(self) -> float:
        """Two and a half heartbeats: one may be late, but two missing mean a dead connection."""
        return self._heartbeat_ms * 2.5 / 1000

    def connection_made(self) -> None:
        """Start a new connection; clocks and known markets are kept, so that the subscription can be resumed."""
        self._state = SessionState.WAITING
        self._buffer = b""
        self._outgoing.clear()
        self._newest_pt = 0
        self.account.connection_made()
        self._stream.subscription = None
        self._stream.lagging = False
        self._stream.forget_segments()

    def reset(self) -> None:
        """Forget the clocks, so that the next subscription starts from an image."""
        self._initial_clk = self._clk = None

    def request_verification(self) -> None:
        """Subscribe again without clocks, for an image of everything; the stream continues under the new subscription."""
        if self._state in TRUSTED:
            self._advance(SessionTrigger.VERIFY)
            self._subscribe(resume=False)

    def next_request(self, now_ms: int) -> Request | None:
        """Return the account's next request."""
        return self.account.next_request(now_ms)

    def next_due_ms(self) -> int | None:
        """Return when the account's next request is due, Unix milliseconds."""
        return self.account.next_due_ms()

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Process an answer to the account; names in it become updates."""
        events = self.account.receive_response(response)
        named, self._named = self._named, []
        return events + named

    def data_to_send(self) -> bytes:
        """Return the bytes to write now."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        """Process bytes of the stream; see `feeds.feed.Codec`."""
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
            text = f"a line exceeds {MAX_LINE_BYTES} bytes"
            events.append(ProviderRefused("LINE_TOO_LONG", text, fatal=False))
        return events

    def _receive_line(self, line: bytes, events: list[CodecEvent]) -> None:
        try:
            message, rejected = decode_message(line)
        except BadMessage as error:
            events.append(Rejected(error.where, error.reason, excerpt(line)))
            # It may have held any change of any market, so the session must resume from the last good clock. If the
            # recovery itself was unreadable, it must start from an image.
            if self._state not in TRUSTED:
                self.reset()
            raise ProviderRefused(
                "UNREADABLE", "a message could not be read; resuming from the last good one", fatal=False
            ) from error
        events += rejected
        if message.op == "mcm":
            # A market with a lost change may be wrong until its next image, so it alone is withdrawn.
            lost = [MarketGone(event.where.removeprefix("market ")) for event in rejected]
            if lost:
                events.append(UpdateBatch(self.source, message.pt, [*lost]))
            self._market_change(message, events)
        elif message.op == "status":
            self._status(message, events)
        elif message.op == "connection":
            self._advance(SessionTrigger.CONNECTION)
            if self.account.session_token is not None:
                self._authenticate()
        else:
            events.append(Dropped(f"op {message.op}"))

    def _market_change(self, message: Message, events: list[CodecEvent]) -> None:
        if message.pt is not None:
            if message.pt < self._newest_pt and self._is_current(message):
                # Rows are absolute: an older row that arrives late would overwrite a newer one. Only an image corrects that.
                self.reset()
                text = f"a message published at {message.pt} followed one published at {self._newest_pt}; starting from an image"
                raise ProviderRefused("OUT_OF_ORDER", text, fatal=False)
            self._newest_pt = message.pt
        stream_events = self._stream.receive(message)
        if self._stream.unnamed:
            self.account.request_names(self._stream.unnamed)
            self._stream.unnamed = []
        is_complete = message.segment_type in {None, "NONE", "SEG_END"}
        if self._state is SessionState.VERIFYING and message.ct == "SUB_IMAGE" and is_complete:
            stream_events = self._as_verification(stream_events)
        events += stream_events
        if any(isinstance(event, Dropped) for event in stream_events):
            return
        if message.heartbeat_ms:
            self._heartbeat_ms = message.heartbeat_ms
        if is_complete:
            self._initial_clk = message.initial_clk or self._initial_clk
            self._clk = message.clk or self._clk
        if is_complete and message.ct in self._recovered_by and self._state not in TRUSTED and message.status is None:
            self._advance(SessionTrigger.RECOVERED)
            events.append(UpdateBatch(self.source, message.pt, [SourceStatus("live", f"{message.ct} applied")]))

    def _is_current(self, message: Message) -> bool:
        return message.id is None or self._stream.subscription is None or message.id == self._stream.subscription

    def _as_verification(self, events: list[CodecEvent]) -> list[CodecEvent]:
        if any(isinstance(event, Dropped) for event in events):
            return events
        self._advance(SessionTrigger.VERIFIED)
        batches = [event for event in events if isinstance(event, UpdateBatch)]
        # Inside the snapshot, the end of a lag would only be compared; it follows once the snapshot has been applied.
        statuses: list[CodecEvent] = []
        for batch in batches:
            if claims := [update for update in batch.updates if isinstance(update, SourceStatus)]:
                statuses.append(UpdateBatch(batch.source, batch.published_ms, [*claims]))
                batch.updates[:] = [update for update in batch.updates if not isinstance(update, SourceStatus)]
        return [VerificationSnapshot(batches), *statuses]

    def _status(self, message: Message, events: list[CodecEvent]) -> None:
        if message.status_code == "SUCCESS":
            if self._state is SessionState.AUTHENTICATING:
                self._advance(SessionTrigger.ACCEPTED)
                self._subscribe()
            elif self._state is SessionState.SUBSCRIBING:
                self._advance(SessionTrigger.ACCEPTED)
            return
        code = message.error_code or "UNKNOWN"
        if code == "INVALID_CLOCK" and self._clk is not None and not message.connection_closed:
            events.append(Dropped("clk refused"))
            self.reset()
            self._advance(SessionTrigger.INVALID_CLOCK)
            self._subscribe()
            return
        if code == "INVALID_CLOCK":
            self.reset()
        fatal = code in FATAL_CODES or (code in SESSION_CODES and not self.account.can_log_in)
        if code in SESSION_CODES:
            self.account.expire_session()
        raise ProviderRefused(code, message.error_message or "no reason given", fatal=fatal)

    def _advance(self, trigger: SessionTrigger) -> None:
        state = SESSION_TRANSITIONS.get((self._state, trigger))
        if state is None:
            raise ProviderRefused("UNEXPECTED", f"{trigger.value!r} while {self._state.value}", fatal=False)
        self._state = state

    def _authenticate(self) -> None:
        """Authenticate, if there are both a connection and a session."""
        if self._state is SessionState.AUTHENTICATING:
            self._send({"op": "authentication", "appKey": self._app_key, "session": self.account.session_token})

    def _apply_names(self, found: list[CatalogueMarket], requested: list[str]) -> None:
        batch = self._stream.apply_names(found, requested)
        if batch.updates:
            self._named.append(batch)

    def _subscribe(self, *, resume: bool = True) -> None:
        wanted = self._subscription
        message: dict[str, object] = {
            "op": "marketSubscription",
            "marketFilter": wanted.market_filter,
            "marketDataFilter": {"fields": wanted.fields, "ladderLevels": wanted.ladder_levels},
            "conflateMs": wanted.conflate_ms,
            "heartbeatMs": wanted.heartbeat_ms,
            "segmentationEnabled": True,
        }
        self._recovered_by = _AFTER_SUBSCRIPTION
        if resume and self._clk is not None and self._initial_clk is not None:
            self._recovered_by = _AFTER_RESUME
            message |= {"initialClk": self._initial_clk, "clk": self._clk}
        self._stream.subscription = self._send(message)
        self._stream.forget_segments()

    def _send(self, message: dict[str, object]) -> int:
        self._next_id += 1
        self._outgoing.append(msgspec.json.encode({"id": self._next_id, **message}) + CRLF)
        return self._next_id
