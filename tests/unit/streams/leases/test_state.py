"""The view of a member of its group, against a table in memory."""

from __future__ import annotations

import pytest

from oddsengine.streams.leases.state import LeaseState, Local
from oddsengine.streams.leases.values import Entry, Operation, encode
from tests.support.streams.lease_table import MemoryTable

LEASE_S = 2.0


class Process:
    """A member that carries out what it decides at once."""

    def __init__(
        self, table: MemoryTable, name: str, items: str = "0123", *, rank: int = 0, lease_s: float = LEASE_S, **options: bool
    ) -> None:
        self.table = table
        self.state = LeaseState(name, list(items), lease_s, **options)
        self.rank = rank
        self.is_leaving = self.is_cold = False
        self.operations: list[Operation] = []
        self.held: set[str] = set()
        self.prepared: set[str] = set()
        self.finished: set[str] = set()

    def beat(self, now_s: float) -> None:
        """Observe, decide and write until nothing more is due at this time."""
        for _ in range(6):
            value = self.state.value(now_s, self.rank, is_leaving=self.is_leaving)
            self.state.observe(now_s, now_s, value, self.table.write(self.state.me, value, self.operations))
            decision = self.state.decide(now_s, Local(self.held, self.prepared, self.finished, is_cold=self.is_cold))
            self.operations = decision.operations
            self.held |= set(decision.take)
            self.finished -= set(decision.take)
            self.held -= set(decision.drop)
            self.prepared = (self.prepared | set(decision.prepare)) - self.held
            self.finished |= set(decision.finish)
            self.held -= set(decision.finish)
            self.finished = {item for item in self.finished if self.state.owner_of(item) == self.state.me}


def run(until_s: float, *processes: Process, start_s: float = 0.0, every_s: float = 0.2) -> None:
    """Run one heartbeat of each process, one after the other."""
    for step in range(1 + round((until_s - start_s) / every_s)):
        for process in processes:
            process.beat(start_s + step * every_s)


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


def test_the_first_one_takes_everything_at_once(table: MemoryTable) -> None:
    one = Process(table, "a")
    one.beat(0.0)
    assert set("0123") == one.held
    assert one.state.is_held(1.7)
    assert not one.state.is_held(1.9), "it stops before its lease ends"


def test_the_second_one_is_given_its_share(table: MemoryTable) -> None:
    one, two = Process(table, "a"), Process(table, "b")
    one.beat(0.0)
    run(2.0, one, two)
    assert (2, 2, set("0123")) == (len(one.held), len(two.held), one.held | two.held)


def test_a_lease_that_is_longer_than_those_of_others_is_kept_for_as_long_as_it_lasts(table: MemoryTable) -> None:
    """It is renewed less often than theirs end."""
    one, two = Process(table, "a"), Process(table, "b", lease_s=10.0)
    one.beat(0.0)
    run(2.0, one, two)
    shares = [set(one.held), set(two.held)]
    assert [2, 2] == [len(share) for share in shares]
    for second in range(2, 20):
        run(second + 1.0, one, two, start_s=second + 0.2)
        assert shares == [one.held, two.held]
    run(26.0, one, start_s=20.2)
    assert shares[0] == one.held, "the other one may be alive"
    run(31.0, one, start_s=26.2)
    assert set("0123") == one.held


def test_one_that_lacks_a_source_is_given_nothing(table: MemoryTable) -> None:
    one, two = Process(table, "a", rank=2), Process(table, "b", rank=1)
    one.beat(0.0)
    run(2.0, one, two)
    assert (4, 0) == (len(one.held), len(two.held))
    two.rank = 2
    run(4.0, one, two, start_s=2.2)
    assert (2, 2) == (len(one.held), len(two.held))


def test_one_that_is_cold_takes_nothing_from_a_table_that_was_lost(table: MemoryTable) -> None:
    """The one that works, and whose entries are gone, has them again when it looks next."""
    one, two = Process(table, "a", rank=1), Process(table, "b")
    one.beat(0.0)
    two.is_cold = True
    table.clear()
    two.beat(0.1)
    assert set() == two.held
    one.beat(0.2)
    two.is_cold, two.rank = False, 1
    two.beat(0.2)
    assert (set("0123"), set()) == (one.held, two.held)
    run(2.0, one, two, start_s=0.4)
    assert (2, 2, set("0123")) == (len(one.held), len(two.held), one.held | two.held)


def test_one_that_is_cold_is_handed_what_it_has_prepared(table: MemoryTable) -> None:
    one, two = Process(table, "a"), Process(table, "b")
    one.beat(0.0)
    two.is_cold = one.is_leaving = True
    run(1.0, one, two)
    assert (set(), set("0123")) == (one.held, two.held)


def test_one_that_leaves_hands_over_and_works_until_the_other_is_ready(table: MemoryTable) -> None:
    one, two = Process(table, "a"), Process(table, "b")
    one.beat(0.0)
    run(2.0, one, two)
    one.is_leaving = True
    one.beat(2.2)
    assert 2 == len(one.held)
    run(3.0, two, one, start_s=2.2)
    assert (set(), set("0123")) == (one.held, two.held)


def test_nothing_is_taken_from_one_that_is_alive_however_long(table: MemoryTable) -> None:
    one, two = Process(table, "a", rank=1), Process(table, "b")
    one.beat(0.0)
    run(30.0, two, one)
    assert (set("0123"), set()) == (one.held, two.held)


def test_what_a_dead_one_owned_is_taken_once_its_lease_has_ended(table: MemoryTable) -> None:
    one, two = Process(table, "a"), Process(table, "b")
    one.beat(0.0)
    run(2.0, one, two)
    ended_s = one.state.until_s
    run(ended_s - 0.2, two, start_s=2.2)
    assert 2 == len(two.held)
    assert not one.state.is_held(ended_s - 0.2), "it stops before"
    run(ended_s + 0.2, two, start_s=ended_s)
    assert set("0123") == two.held
    one.beat(4.4)
    assert set() == one.held, "it is told when it wakes"


def test_a_lease_is_not_judged_by_one_that_has_not_watched(table: MemoryTable) -> None:
    """After an outage of Redis all leases look old."""
    one, two = Process(table, "a"), Process(table, "b")
    one.beat(0.0)
    run(2.0, one, two)
    two.beat(60.0)
    assert 2 == len(two.held)
    run(60.6, one, two, start_s=60.0)
    assert (2, 2) == (len(one.held), len(two.held))


def test_owners_write_themselves_into_a_table_that_was_lost(table: MemoryTable) -> None:
    one, two = Process(table, "a"), Process(table, "b")
    one.beat(0.0)
    run(2.0, one, two)
    before = one.held.copy(), two.held.copy()
    table.clear()
    run(6.0, two, one, start_s=2.2)
    assert before == (one.held, two.held)


@pytest.mark.parametrize("away_s", [0.2, 5.0, 100.0])
@pytest.mark.parametrize("is_moved", [False, True])
def test_owners_keep_what_they_have_when_an_old_table_comes_back(table: MemoryTable, away_s: float, *, is_moved: bool) -> None:
    """In it, one that has died since owns what they own, or they own what they have handed over."""
    one, two, three = (Process(table, name) for name in "abc")
    one.beat(0.0)
    run(2.0, one, three)
    saved = table.copy()
    three.is_leaving = is_moved
    run(3.0, three, one, start_s=2.2)
    run(10.0, one, two, start_s=3.2)
    before = one.held.copy(), two.held.copy()
    assert set("0123") == one.held | two.held
    table.members, table.entries = saved.members, saved.entries
    dropped: set[str] = set()
    for step in range(30):
        for process in (two, one):
            process.beat(10.0 + away_s + step * 0.2)
        dropped |= set("0123") - one.held - two.held
    assert (before, set()) == ((one.held, two.held), dropped)
    assert {item: encode(Entry("a" if item in before[0] else "b")) for item in "0123"} == table.entries


def test_what_nobody_works_on_in_an_old_table_is_taken_after_a_lease(table: MemoryTable) -> None:
    one, two = Process(table, "a"), Process(table, "b")
    one.beat(0.0)
    run(2.0, one, two)
    saved = table.copy()
    two.is_leaving = True
    run(3.0, two, one, start_s=2.2)
    two.beat(3.2)
    table.members, table.entries = saved.members, saved.entries
    one.held.clear()
    run(5.0, one, start_s=3.4)
    assert len(one.held) < 4
    run(6.0, one, start_s=5.2)
    assert set("0123") == one.held


def test_a_value_that_is_older_than_what_was_seen_is_no_sign_of_life(table: MemoryTable) -> None:
    one, two = Process(table, "a"), Process(table, "b")
    one.beat(0.0)
    run(2.0, one, two)
    old = table.members["b"]
    run(3.0, one, two, start_s=2.2)
    table.members["b"] = old
    run(4.2, one, start_s=3.2)
    assert 2 == len(one.held)
    run(5.0, one, start_s=4.4)
    assert set("0123") == one.held


def test_a_renewal_that_arrives_after_a_later_one_changes_nothing(table: MemoryTable) -> None:
    state = LeaseState("a", ["0"], LEASE_S)
    first, second = state.value(0.0, 0, is_leaving=False), state.value(1.0, 0, is_leaving=False)
    table.write("a", second, ())
    taken = Operation("0", b"", encode(Entry("a")))
    assert second == table.write("a", first, [taken]).previous
    assert ({"a": second}, {}) == (table.members, table.entries)


def test_a_value_that_something_else_has_written_does_not_keep_a_member_from_its_lease(table: MemoryTable) -> None:
    """Nor the others from seeing that it is alive."""
    one, two = Process(table, "a"), Process(table, "b")
    one.beat(0.0)
    run(2.0, one, two)
    held = set(one.held)
    table.members["a"] = b'{"beat":900000000000}'
    two.beat(2.1)
    run(12.0, one, two, start_s=2.2)
    assert (held, set("0123") - held) == (one.held, two.held)
    assert one.state.is_held(12.0)
    assert two.state.is_alive("a", 12.0)


def test_a_patient_one_that_starts_waits_for_owners_that_a_table_has_lost(table: MemoryTable) -> None:
    """They write themselves into it again. What was given up needs no wait."""
    one, two = Process(table, "a", is_patient=True), Process(table, "b", is_patient=True)
    run(2.2, one)
    assert set("0123") == one.held
    table.clear()
    two.beat(2.3)
    assert set() == two.held
    one.is_leaving = True
    one.beat(2.4)
    table.write("a", b"", one.state.releases())
    two.beat(2.5)
    assert set("0123") == two.held
    three = Process(MemoryTable(), "c", is_patient=True)
    run(LEASE_S - 0.2, three)
    assert set() == three.held
    run(LEASE_S + 0.2, three, start_s=LEASE_S)
    assert set("0123") == three.held


def test_a_write_without_an_answer_does_not_extend_the_lease_from_its_repetition(table: MemoryTable) -> None:
    """Others count from when they have seen it: that may be the first time."""
    state = LeaseState("a", ["0"], LEASE_S)
    first = state.value(0.0, 0, is_leaving=False)
    table.write("a", first, ())
    assert first != state.value(0.3, 0, is_leaving=False)


def test_an_entry_that_can_not_be_read_is_as_good_as_none(table: MemoryTable) -> None:
    table.entries["0"] = b"?"
    one = Process(table, "a", "0")
    one.beat(0.0)
    assert ({"0"}, encode(Entry("a"))) == (one.held, table.entries["0"])


def test_an_item_goes_to_a_member_that_has_it_still_and_with_the_last_one_its_lease(table: MemoryTable) -> None:
    one, two = (Process(table, name, "01", announces=True, rebalance=False) for name in "ab")
    run(3.0, one, two)
    assert (set("01"), set()) == (one.held, two.held)
    one.state.use(["1", "2"])
    run(4.0, one, two, start_s=3.2)
    assert (set("12"), set("0")) == (one.held, two.held)
    two.state.use(["1", "2"])
    run(5.0, one, two, start_s=4.2)
    assert (set("12"), set()) == (one.held, two.held)
    assert set("12") == table.entries.keys()
