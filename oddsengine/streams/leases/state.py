"""One member's view of its group, and what it must do next. Pure: time is an argument, in seconds of the member's own clock.

Every member writes a value into a common table periodically. It is alive as long as that grows (`Member.beat`): each member
judges the others by its own monotonic clock, from when it last saw them grow, and itself from when it last sent one. So no clock
of any machine has to agree with another's, and an owner's own lease ends before anybody else may take what it owned.

Every change of the table is an `Operation`: it is carried out only if the entry, and the value of the member that it relies on,
are what they were when it was decided. Whether two members decide from the same view does not matter for safety.

An item goes from owner to owner in these steps. Its owner goes on working up to the last but one:

    owner=A            A works                  an entry of a member that is not alive may be replaced
    owner=A, next=B    A works, B prepares
    owner=A, next=B, is_ready    A finishes
    owner=B            B works

A Redis that has lost data, or was restored from an old file, may say what was so in the past. A member finds its own value gone,
or smaller than one that was confirmed. Entries that it finds then are doubted: for a lease they are only changed by who works on
the item, which writes itself into them again.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.streams.leases.assignment import assign
from oddsengine.streams.leases.values import Entry, Member, Operation, Table, decode_entry, decode_member, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: How many times a lease is renewed while it lasts.
RENEWALS: Final = 3
#: How many times the table is read between two renewals, to see soon that a member is gone.
LOOKS: Final = 3
#: A member stops working this share of a lease before its lease ends.
_MARGIN: Final = 0.1
#: The entry of a member that is not alive is removed after this many leases.
_FORGET_AFTER: Final = 30


class Local(NamedTuple):
    """The work of this member: the items it works on, those it is prepared for, has finished, and must not take.

    One that is cold takes nothing that has no owner who is alive: it does not know yet what it would have to do.
    """

    held: AbstractSet[str]
    prepared: AbstractSet[str] = frozenset()
    finished: AbstractSet[str] = frozenset()
    blocked: AbstractSet[str] = frozenset()
    is_cold: bool = False


class Decision(NamedTuple):
    """The values to write, and the items to begin with, to prepare for, to finish and to drop."""

    operations: list[Operation]
    take: list[str]
    prepare: list[str]
    finish: list[str]
    drop: list[str]


class _Sighting(NamedTuple):
    """The value of a member, the number in it, and when it was last seen to grow."""

    value: bytes
    beat: int
    at_s: float


_NOBODY: Final = Entry("")
#: The number in a value that can't be read.
_UNREADABLE: Final = -1


class LeaseState:
    """The view of one member.

    Args:
        me: the member's name; no other one, and none before, has it.
        items: the items that are owned.
        lease_s: how long a lease lasts.
        rebalance: whether items are spread evenly; otherwise only those without an owner are taken.
        announces: whether members can own different items, and say which.
        is_patient: whether an item without an entry may have an owner that Redis has lost: then it is free after a lease only.
            What was given up has an entry that says so.
    """

    def __init__(
        self,
        me: str,
        items: Sequence[str],
        lease_s: float,
        *,
        rebalance: bool = True,
        announces: bool = False,
        is_patient: bool = False,
    ) -> None:
        self.me = me
        self._announces = announces
        self._items = items
        self._lease_s = lease_s
        self._rebalance = rebalance
        self._is_patient = is_patient
        self._beat = 0
        self._renew_at_s = float("-inf")
        #: the last value that is known to be in the table
        self._acknowledged = b""
        self._observed_s = float("-inf")
        #: when others may be judged: not before they were watched for as long as a lease
        self._settled_s = float("-inf")
        self._seen: dict[str, _Sighting] = {}
        #: the entries that a Redis had which had lost data; until `_settled_s` those that are still so may be of the past
        self._doubted: Mapping[str, bytes] = {}
        self._table = Table({}, {})
        self._members: dict[str, Member] = {}
        self._entries: dict[str, Entry] = {}
        #: until when this member's lease lasts
        self.until_s = float("-inf")
        #: identifies what this member does its work by; empty if it does not say
        self.config = ""

    def is_held(self, now_s: float) -> bool:
        """Check whether this member may work on what it owns."""
        return now_s < self.until_s - _MARGIN * self._lease_s

    def value(self, now_s: float, rank: int, *, is_leaving: bool) -> bytes:
        """Return the value to write now: another one than before if it is time to renew, or if something has changed.

        So it is after a write without an answer too: others may have seen that one, and count from then.
        """
        items = tuple(self._items) if self._announces else None
        last = encode(Member(self._beat, rank, is_leaving, items, self._lease_s, self.config))
        if now_s < self._renew_at_s and last == self._acknowledged:
            return last
        self._beat += 1
        self._renew_at_s = now_s + self._lease_s / RENEWALS
        return encode(Member(self._beat, rank, is_leaving, items, self._lease_s, self.config))

    def use(self, items: Sequence[str]) -> None:
        """Own other items from now on. What is owned and not among them is handed to a member that can own it, else released."""
        self._items = items

    def next_beat_s(self, now_s: float) -> float:
        """Return when to read the table again: soon while something is handed over."""
        if any(self.me in {entry.owner, entry.next} for entry in self._entries.values() if entry.next):
            return now_s + min(0.05, self._lease_s / RENEWALS / LOOKS)
        at_s = min(self._renew_at_s, now_s + self._lease_s / RENEWALS / LOOKS)
        return max(at_s, now_s)

    def observe(self, sent_s: float, now_s: float, sent: bytes, table: Table) -> None:
        """Note the table as it is after our value was written.

        Args:
            sent_s: when the value was sent.
            now_s: when the answer had arrived.
            sent: the value.
            table: the table.
        """
        away_s = sent_s - self._observed_s
        if away_s > self._lease_s / 2:
            # We have not watched for a while: nobody who was alive can be judged by that.
            self._seen = {
                member: seen._replace(at_s=now_s) if self._observed_s - seen.at_s < self._lease_s_of(member) else seen
                for member, seen in self._seen.items()
            }
        is_first = self._observed_s == float("-inf")
        if self._is_patient if is_first else self._was_lost(table):
            # What has no owner in it may have one.
            self._settled_s = now_s + self._lease_s
            self._doubted = {} if is_first else dict(table.entries)
        self._observed_s = sent_s
        if _beat_of(table.previous) > self._beat:
            # Something else has written our value, so ours was refused: the next one is above it.
            self._beat = _beat_of(table.previous)
        elif sent != self._acknowledged:
            self._acknowledged = sent
            self.until_s = sent_s + self._lease_s
        self._table = table
        self._members = {name: decoded for name, value in table.members.items() if (decoded := decode_member(value)) is not None}
        self._entries = {item: entry for item, value in table.entries.items() if (entry := decode_entry(value)) is not None}
        for member, value in table.members.items():
            if member != self.me:
                self._note_value(member, value, now_s)

    def _was_lost(self, table: Table) -> bool:
        """Check whether the table lacks what we know was written: our value, or the last one of it that was confirmed.

        Others may have removed it, if we were away for long. Then nothing is lost by a lease of doubt: they have what we had.
        """
        return not table.previous or _beat_of(table.previous) < _beat_of(self._acknowledged)

    def _note_value(self, member: str, value: bytes, now_s: float) -> None:
        """Note the value of another member. One that is older than what was seen of it is no sign of life."""
        seen = self._seen.get(member)
        if seen is not None and seen.value == value:
            return
        beat = _beat_of(value)
        if seen is None or beat > seen.beat or beat == _UNREADABLE:
            self._seen[member] = _Sighting(value, beat, now_s)

    def is_alive(self, member: str, now_s: float) -> bool:
        """Check whether a member may still work on what it owns, as far as we can tell."""
        if member == self.me:
            return True
        seen = self._seen.get(member)
        return seen is not None and now_s - seen.at_s < self._lease_s_of(member)

    def _lease_s_of(self, member: str) -> float:
        """Return how long a member's lease lasts, which it says itself: it renews one that is longer than ours less often."""
        found = self._members.get(member)
        return found.lease_s if found is not None and found.lease_s > 0.0 else self._lease_s

    def others(self, now_s: float) -> list[str]:
        """Return the other members that are alive and stay."""
        return [member for member in self._members if member != self.me and self._stays(member, now_s)]

    def configured_otherwise(self, now_s: float) -> list[str]:
        """Return the other members that are alive, stay, and do their work by something else than this one."""
        return [member for member in self.others(now_s) if self._members[member].config not in {"", self.config}]

    def owner_of(self, item: str) -> str:
        """Return who owns an item, empty if nobody does."""
        return self._entries.get(item, _NOBODY).owner

    def is_heir(self, item: str) -> bool:
        """Check whether an item is to be handed to us."""
        return self._entries.get(item, _NOBODY).next == self.me

    def _stays(self, member: str, now_s: float) -> bool:
        found = self._members.get(member)
        return found is not None and not found.is_leaving and self.is_alive(member, now_s)

    def _can_own(self, member: str, item: str) -> bool:
        if member == self.me:
            return item in self._items
        found = self._members.get(member)
        return found is not None and (found.items is None or item in found.items)

    def _is_known_elsewhere(self, item: str) -> bool:
        """Check whether another member can own an item. One that is silent now may be back before it is forgotten."""
        return any(
            member != self.me and not found.is_leaving and self._can_own(member, item) for member, found in self._members.items()
        )

    def targets(self, now_s: float) -> dict[str, str]:
        """Return who should own each item."""
        owners = {
            item: entry.next if entry.next and self._stays(entry.next, now_s) else entry.owner
            for item, entry in self._entries.items()
        }
        staying = [member for member in self._members if self._stays(member, now_s)]
        best = max((self._members[member].rank for member in staying), default=0)
        gainers = [member for member in staying if self._members[member].rank == best]
        owning = set(owners.values())
        return assign(
            {*self._items, *self._entries} if self._announces else self._items,
            owners,
            [member for member in staying if member in owning],
            gainers,
            rebalance=self._rebalance,
            **({"can_own": self._can_own} if self._announces else {}),
        )

    def decide(self, now_s: float, local: Local) -> Decision:
        """Return what to do.

        Args:
            now_s: the present time.
            local: what this member does.
        """
        decision = Decision([], [], [], [], [])
        targets = self.targets(now_s)
        for item in [*self._items, *(self._entries.keys() - set(self._items) if self._announces else ())]:
            entry = self._entries.get(item, _NOBODY)
            if self._is_doubted(item, now_s) and not (item in local.held and entry == Entry(self.me)):
                if item in local.held:
                    decision.operations.append(self._replace(item, Entry(self.me), entry.owner))
            elif entry.owner == self.me:
                self._decide_own(item, entry, targets.get(item, ""), now_s, local, decision)
            elif entry.owner and self.is_alive(entry.owner, now_s):
                self._decide_foreign(item, entry, local, decision)
            elif item not in self._items:
                if item not in targets:
                    # Nobody has it any more.
                    decision.operations.append(self._replace(item, None, entry.owner))
            elif item in local.held:
                # The table was lost, or we were out of it, and nobody has taken what we own.
                decision.operations.append(self._replace(item, Entry(self.me), entry.owner))
            elif local.is_cold or item in local.blocked or targets.get(item) != self.me:
                continue
            elif item in self._entries or now_s >= self._settled_s:
                decision.operations.append(self._replace(item, Entry(self.me), entry.owner))
        decision.operations.extend(self._removals(now_s))
        return decision

    def _is_doubted(self, item: str, now_s: float) -> bool:
        """Check whether an entry is one that was found in a Redis which had lost data, and may be of the past."""
        return now_s < self._settled_s and self._doubted.get(item, b"") == self._table.entries.get(item, b"") != b""

    def _decide_own(self, item: str, entry: Entry, target: str, now_s: float, local: Local, decision: Decision) -> None:
        if item not in local.held and item not in local.finished:
            if item in local.blocked or item not in self._items:
                decision.operations.append(self._replace(item, None))
            else:
                decision.take.append(item)
        elif entry.next and not (self._stays(entry.next, now_s) and (not self._announces or self._can_own(entry.next, item))):
            decision.operations.append(self._replace(item, Entry(self.me)))
        elif item in local.finished:
            if entry.next and entry.is_ready:
                decision.operations.append(self._replace(item, Entry(entry.next)))
            elif item not in self._items:
                decision.operations.append(self._replace(item, None))
            else:
                decision.take.append(item)
        elif entry.next and entry.is_ready:
            decision.finish.append(item)
        elif not entry.next and target not in {"", self.me}:
            decision.operations.append(self._replace(item, Entry(self.me, target)))
        elif not entry.next and not target and item not in self._items and not self._is_known_elsewhere(item):
            decision.finish.append(item)

    def _decide_foreign(self, item: str, entry: Entry, local: Local, decision: Decision) -> None:
        if item in local.held:
            decision.drop.append(item)
        elif entry.next == self.me and not entry.is_ready and item in self._items:
            if item not in local.prepared:
                decision.prepare.append(item)
            elif self._rank(self.me) >= self._rank(entry.owner):
                decision.operations.append(self._replace(item, Entry(entry.owner, self.me, is_ready=True)))

    def _rank(self, member: str) -> int:
        found = self._members.get(member)
        return 0 if found is None else found.rank

    def _replace(self, item: str, entry: Entry | None, relies_on: str = "") -> Operation:
        return Operation(
            item,
            self._table.entries.get(item, b""),
            b"" if entry is None else encode(entry),
            relies_on,
            self._table.members.get(relies_on, b""),
        )

    def _removals(self, now_s: float) -> Iterator[Operation]:
        owning = {entry.owner for entry in self._entries.values()}
        for member, value in self._table.members.items():
            seen = self._seen.get(member)
            if seen is not None and member not in owning and now_s - seen.at_s > _FORGET_AFTER * self._lease_s_of(member):
                yield Operation("", b"", b"", member, value)

    def releases(self) -> Iterable[Operation]:
        """Return the operations that give up everything we own: to who is ready for it, else to anybody."""
        return [
            self._replace(item, Entry(entry.next) if entry.is_ready else _NOBODY if self._is_patient else None)
            for item, entry in self._entries.items()
            if entry.owner == self.me
        ]


def _beat_of(value: bytes) -> int:
    member = decode_member(value)
    return _UNREADABLE if member is None else member.beat
