"""Commands: instructions of people that change the offer, each with author, scope, reason and expiry.

A command is stored whole at each of its changes (made, confirmed, lifted), so that applying one twice is harmless.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import msgspec

from oddsengine.domain.taxonomy import MarketType

#: Reason of a market that a person has suspended.
TRADER: Final = "trader"

Action = Literal[
    "suspend", "price", "book_sum", "shift", "limit", "bet_delay_s", "result", "unresult", "match", "unmatch", "note"
]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
#: Who has lifted a command that ends with the kick-off, once its event was in play.
KICKED_OFF: Final = "kick-off"
#: What a scope names, widest first.
ScopeKind = Literal["all", "sport", "competition", "event", "market", "selection"]
SCOPE_KINDS: Final[tuple[ScopeKind, ...]] = get_args(ScopeKind)
EVERY_PROFILE: Final = ("*",)
#: By selection, or for the whole scope: odds, a share, a book sum, a stake, seconds, an outcome, an event.
Values: TypeAlias = dict[str, float | str] | float | str | None

State = Literal["proposed", "active", "expired", "lifted"]


class Scope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which markets a command is for: exactly one of the first six fields, narrowed by the others.

    A selection is named by its market's id, a slash and its key.
    """

    all: bool = False
    sport: str | None = None
    competition: str | None = None
    event: str | None = None
    market: str | None = None
    selection: str | None = None
    types: tuple[MarketType, ...] = ()
    in_play: bool | None = None
    profiles: tuple[str, ...] = EVERY_PROFILE

    @property
    def kind(self) -> ScopeKind:
        """Which field says what the scope is of; the first one if several do."""
        return next((kind for kind in SCOPE_KINDS if getattr(self, kind)), "all")

    @property
    def key(self) -> str:
        """The id or key that the scope names; empty for all."""
        return "" if self.all else getattr(self, self.kind) or ""

    @property
    def market_id(self) -> str | None:
        """The only market of the scope; None if it is not of one."""
        return self.market or (self.selection.rpartition("/")[0] if self.selection else None)

    @property
    def event_id(self) -> str | None:
        """The only event of the scope; None if it is not of one."""
        market = self.market_id
        return self.event if market is None else market.partition("/")[0]

    @property
    def selection_key(self) -> str | None:
        """The only selection of the scope; None if it is not of one."""
        return self.selection.rpartition("/")[2] if self.selection else None

    @property
    def narrowness(self) -> tuple[int, int]:
        """The narrowness of the scope, to compare with others: by what it names, then by how far that is narrowed."""
        narrowed = bool(self.types) + (self.in_play is not None) + (self.profiles != EVERY_PROFILE)
        return SCOPE_KINDS.index(self.kind), narrowed


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A command. Times are Unix milliseconds, by the clock of Redis; each step is later than those before it in the log.

    Attributes:
        id: unique.
        author: the subject of the token that it was made with.
        action: what to do.
        scope: the markets.
        created_ms: when it was made.
        values: what the action sets, None where it sets nothing.
        reason: why, for other people.
        expires_ms: when it ends; None: not by itself, or at the kick-off.
        until_kick_off: whether it ends, for each event, once that is in play.
        force: whether a price may break the rules of its profile.
        is_proposal: whether a second person must confirm it.
        confirmed_by: who has.
        confirmed_ms: when.
        lifted_by: who has lifted it.
        lifted_ms: when.
        about: what its event, market or competition was called when it was made, for people; empty if it was not on offer.
    """

    id: str
    author: str
    action: Action
    scope: Scope
    created_ms: int
    values: Values = None
    reason: str = ""
    expires_ms: int | None = None
    until_kick_off: bool = False
    force: bool = False
    is_proposal: bool = False
    confirmed_by: str | None = None
    confirmed_ms: int | None = None
    lifted_by: str | None = None
    lifted_ms: int | None = None
    about: str = ""

    def state(self, now_ms: int, *, in_play: bool = False) -> State:
        """Return the state of the command.

        Args:
            now_ms: Unix milliseconds, by the world's clock.
            in_play: whether the only event of its scope is.
        """
        if self.lifted_ms is not None:
            return "expired" if self.until_kick_off and self.lifted_by == KICKED_OFF else "lifted"
        if (self.expires_ms is not None and self.expires_ms <= now_ms) or (self.until_kick_off and in_play):
            return "expired"
        return "proposed" if self.is_proposal and self.confirmed_by is None else "active"

    @property
    def last_step(self) -> Literal["made", "proposed", "confirmed", "lifted"]:
        """The last step that somebody has taken with the command."""
        if self.lifted_ms is not None:
            return "lifted"
        if self.confirmed_by is not None:
            return "confirmed"
        return "proposed" if self.is_proposal else "made"

    @property
    def step_ms(self) -> int:
        """Return when its last step was taken, Unix milliseconds."""
        if self.lifted_ms is not None:
            return self.lifted_ms
        return self.created_ms if self.confirmed_ms is None else self.confirmed_ms

    @property
    def events(self) -> tuple[str, ...]:
        """The events that it is about; empty if it is not of single ones."""
        event = self.scope.event_id
        if event is None:
            return ()
        return (event, str(self.values)) if self.action in {"match", "unmatch"} else (event,)

    @property
    def rank(self) -> tuple[int, tuple[int, int], str]:
        """The rank among commands that contradict each other, of which the highest holds: the newest, then the narrowest."""
        return self.confirmed_ms or self.created_ms, self.scope.narrowness, self.id
