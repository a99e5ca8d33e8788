"""The polling of one sport: its endpoints with their cursors, and its states (see `sport_states`). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from feeds.adapters.pinnacle.fixtures import FixtureRegister
from feeds.adapters.pinnacle.markets import SPORTS
from feeds.adapters.pinnacle.quoting import SportQuotes
from feeds.adapters.pinnacle.sport_states import (
    RECOVERY_TRANSITIONS,
    VERIFICATION_TRANSITIONS,
    RecoveryState,
    RecoveryTrigger,
    VerificationState,
    VerificationTrigger,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.domain.feed_updates import FeedUpdate

#: Values of `last` that are not cursors.
_NOT_CURSORS: Final = frozenset({0, 1})


def to_cursor(last: int) -> int | None:
    """Return the cursor in an answer; None if the next call must be a snapshot."""
    return None if last in _NOT_CURSORS else last


class Endpoint:
    """The polling of one endpoint.

    `due_ms` is the time of its next call, unless one is in flight; `not_before_ms` that of the first one on a new connection: a
    call that failed counts too. `is_failing` is whether the last one did, `confirmed_ms` when one on this connection did not.
    """

    def __init__(self) -> None:
        self.cursor: int | None = None
        self.due_ms = 0
        self.not_before_ms = 0
        self.in_flight = False
        self.is_failing = False
        self.confirmed_ms: int | None = None


class Sport:
    """The polling of one sport.

    Args:
        name: the feed's name.
        number: the provider's id of the sport.
    """

    def __init__(self, name: str, number: int) -> None:
        self._feed = name
        self.number = number
        self.name = SPORTS.get(number, f"pinnacle-{number}")
        self.fixtures = Endpoint()
        self.odds = Endpoint()
        self.recovery = RecoveryState.AWAITING_FIXTURES
        self.verification = VerificationState.IDLE
        #: updates of a snapshot that is not yet current
        self.held: list[FeedUpdate] = []
        #: whether odds have arrived for an event without a fixture
        self.has_unknown_events = False
        #: how many answers were received
        self.answers = 0
        self.register = FixtureRegister(name)
        self.quotes = SportQuotes(self.name)
        #: the quotes of the verification, with the cursor of its snapshot
        self.verified = SportQuotes(self.name)
        self.verified_cursor: int | None = None

    @property
    def is_current(self) -> bool:
        """Whether its odds may be offered."""
        return self.recovery is RecoveryState.CURRENT

    @property
    def is_verifying(self) -> bool:
        """Whether its next odds request belongs to a verification."""
        return self.is_current and self.verification is not VerificationState.IDLE

    def available(self) -> Iterator[tuple[str, Endpoint]]:
        """Yield the endpoints that may be called; odds wait for the fixtures that name their events."""
        if not self.fixtures.in_flight:
            yield "fixtures", self.fixtures
        if self.recovery is not RecoveryState.AWAITING_FIXTURES and not self.odds.in_flight:
            yield "odds", self.odds

    def odds_cursor(self) -> int | None:
        """Return the cursor of the next odds request; None for a snapshot."""
        if not self.is_verifying:
            return self.odds.cursor
        return self.verified_cursor if self.verification is VerificationState.CHANGES_DUE else None

    def connection_made(self) -> None:
        """Start to recover on a new connection, from the cursors of the last one."""
        self.move_recovery(RecoveryTrigger.RESTART)
        self.move_verification(VerificationTrigger.RECONNECTED)
        for endpoint in (self.fixtures, self.odds):
            endpoint.in_flight, endpoint.due_ms, endpoint.confirmed_ms = False, endpoint.not_before_ms, None

    def forget_cursors(self) -> None:
        """Make the next answers snapshots."""
        self.fixtures.cursor = self.odds.cursor = None

    def expire(self) -> None:
        """Discard everything known, and start to recover from snapshots."""
        self.move_recovery(RecoveryTrigger.RESTART)
        self.forget_cursors()
        self.fixtures.confirmed_ms = self.odds.confirmed_ms = None
        self.register = FixtureRegister(self._feed)
        self.quotes = SportQuotes(self.name)
        self.held = []

    def move_recovery(self, trigger: RecoveryTrigger) -> None:
        """Apply a trigger to the recovery."""
        self.recovery = RECOVERY_TRANSITIONS.get((self.recovery, trigger), self.recovery)

    def move_verification(self, trigger: VerificationTrigger) -> None:
        """Apply a trigger to the verification."""
        self.verification = VERIFICATION_TRANSITIONS.get((self.verification, trigger), self.verification)
