"""The channels of the console: who is subscribed, and what each has been sent. Nothing here awaits.

They are granted by the role `trader`; a session is sent what its token shows. One that does not read is sent nothing, and once it
does, the difference to what it was sent last.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import UNSET

from oddsengine.common.excerpts import bounded, echoed
from oddsengine.gateway.access.grants import Access, Role
from oddsengine.gateway.commands.permissions import may_see
from oddsengine.gateway.console.floor import Floor
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.protocol.server_messages import Delta, Failed, Live, Snapshot, Subscribed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.protocol.client_messages import RequestId
    from oddsengine.gateway.state.replica import Replica

PREFIX: Final = "console:"
_Kind = Literal["commands", "feeds", "trouble"]
CHANNELS: Final[dict[str, _Kind]] = {f"{PREFIX}commands": "commands", f"{PREFIX}feeds": "feeds", f"{PREFIX}trouble": "trouble"}
_ITEMS_PER_PART: Final = 200
_NOTHING: Final[Mapping[str, Any]] = {}


def refusal(name: str, access: Access) -> tuple[ErrorCode, str] | None:
    """Return why a client is refused a channel of the console, None if it is not."""
    if access.role < Role.trader:
        return ErrorCode.FORBIDDEN, f"{echoed(name)} requires the role {Role.trader.name}, not {access.role.name}"
    if name not in CHANNELS:
        return ErrorCode.UNKNOWN_CHANNEL, f"{echoed(name)} is not a channel; those of the console are {', '.join(CHANNELS)}"
    return None


class _Subscription:
    """A session's subscription to a channel.

    `sent` are the items that it was sent, by id; None before its snapshot.
    """

    __slots__ = ("confirms", "sent")

    def __init__(self, *, confirms: bool) -> None:
        self.sent: dict[str, Any] | None = None
        self.confirms = confirms


class ConsoleChannels:
    """The channels of the console in one gateway process.

    Args:
        replica: what is published.
        now_ms: Unix milliseconds.
        clock: monotonic seconds.
        at: returns the position that a session could resume the channels of the offer from.
    """

    def __init__(self, replica: Replica, now_ms: Callable[[], int], clock: Callable[[], float], at: Callable[[], str]) -> None:
        self.floor = Floor(replica)
        #: set while anybody is subscribed
        self.wanted = asyncio.Event()
        self._replica = replica
        self._now_ms = now_ms
        self._clock = clock
        self._at = at
        self._sessions: dict[Session, dict[str, _Subscription]] = {}

    @property
    def subscribed_channels(self) -> set[str]:
        """The channels that any session is subscribed to."""
        return {name for subscriptions in self._sessions.values() for name in subscriptions}

    def subscribe(self, session: Session, request: RequestId, names: Sequence[str], *, confirms: bool) -> int:
        """Subscribe a session to channels; each starts with a snapshot. Return how many it is refused."""
        access = session.access
        assert access is not None  # noqa: S101 - the session is authenticated
        refused: dict[tuple[ErrorCode, str], list[str]] = {}
        granted: list[str] = []
        for name in dict.fromkeys(names):
            reason = refusal(name, access)
            if reason is None:
                granted.append(name)
            else:
                refused.setdefault(reason, []).append(name)
        for (code, text), channels in refused.items():
            self._send(session, Failed(request, code, bounded(text), channels))
        if granted:
            self._send(session, Subscribed(request, granted, resumed=False))
            subscriptions = self._sessions.setdefault(session, {})
            for name in granted:
                subscriptions[name] = _Subscription(confirms=confirms)
            self.wanted.set()
            self._publish_to(session, {})
        return sum(map(len, refused.values()))

    def leave(self, session: Session, name: str) -> None:
        """Unsubscribe a session from a channel. No-op if it is not subscribed."""
        subscriptions = self._sessions.get(session)
        if subscriptions is None:
            return
        subscriptions.pop(name, None)
        if not subscriptions:
            self.forget(session)

    def forget(self, session: Session) -> None:
        """Unsubscribe a session from everything."""
        self._sessions.pop(session, None)
        if not self._sessions:
            self.wanted.clear()
            self.floor.pause()

    def grant(self, session: Session, access: Access) -> tuple[str, ...]:
        """Apply a new token of a session. Return the channels that it may no longer see, which it is unsubscribed from."""
        if access.role >= Role.trader:
            return ()
        revoked = tuple(self._sessions.get(session, ()))
        self.forget(session)
        return revoked

    def publish(self) -> None:
        """Send every session what it lacks."""
        shown: dict[tuple[object, ...], dict[str, Any]] = {}
        for session in list(self._sessions):
            self._publish_to(session, shown)

    def _publish_to(self, session: Session, shown: dict[tuple[object, ...], dict[str, Any]]) -> None:
        """Send a session what it lacks.

        Args:
            session: the session.
            shown: the commands that tokens show, by what of a token that depends on; added to.
        """
        if session.backlog() or not session.is_open or session.access is None:
            return
        for name, subscription in self._sessions[session].items():
            kind = CHANNELS[name]
            if not (self.floor.has_commands if kind == "commands" else self.floor.has_reports):
                continue
            items = self._items(kind, session.access, shown)
            if subscription.sent is None:
                self._send_snapshot(session, name, kind, items)
                if subscription.confirms:
                    self._send(session, Live(name))
            else:
                self._send_delta(session, name, kind, subscription.sent, items)
            subscription.sent = items

    def _items(self, kind: _Kind, access: Access, shown: dict[tuple[object, ...], dict[str, Any]]) -> dict[str, Any]:
        if kind == "feeds":
            return self.floor.feeds
        if kind == "trouble":
            return dict(self.floor.trouble)
        what = access.role, access.profile, access.channels
        found = shown.get(what)
        if found is None:
            items = self.floor.commands.items()
            found = {key: item.for_access(access) for key, item in items if may_see(access, item.command, self._replica)}
            shown[what] = found
        return found

    def _send_snapshot(self, session: Session, name: str, kind: _Kind, items: dict[str, Any]) -> None:
        values = _wire(kind, items.values())
        parts = [values[first : first + _ITEMS_PER_PART] for first in range(0, len(values), _ITEMS_PER_PART)] or [[]]
        for number, part in enumerate(parts, 1):
            message = Snapshot(name, self._at(), number, number == len(parts))
            setattr(message, kind, part)
            self._send(session, message)

    def _send_delta(self, session: Session, name: str, kind: _Kind, sent: Mapping[str, Any], items: Mapping[str, Any]) -> None:
        changed = [item for key, item in items.items() if sent.get(key) is not item]
        removed = [key for key in sent if key not in items]
        if not changed and not removed:
            return
        message = Delta(name, self._at(), self._now_ms(), removed=removed or UNSET)
        if changed:
            setattr(message, kind, _wire(kind, changed))
        self._send(session, message)

    def _send(self, session: Session, message: Any) -> None:
        session.send(message, self._clock())


def _wire(kind: _Kind, items: Iterable[Any]) -> list[Any]:
    return [item.answer for item in items] if kind == "commands" else list(items)
