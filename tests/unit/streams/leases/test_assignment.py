"""Laws of who should own what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.streams.leases.assignment import assign

MEMBERS = st.sets(st.sampled_from("abcde"), min_size=1)
ITEMS = [str(number) for number in range(8)]
OWNERS = st.dictionaries(st.sampled_from(ITEMS), st.sampled_from("abcdexy"))


def loads(assigned: dict[str, str], members: set[str]) -> list[int]:
    return [list(assigned.values()).count(member) for member in members]


@given(OWNERS, MEMBERS)
def test_every_item_is_owned_and_the_spread_is_even(owners: dict[str, str], members: set[str]) -> None:
    assigned = assign(ITEMS, owners, members, members)
    assert set(ITEMS) == assigned.keys()
    assert set(assigned.values()) <= members
    assert max(loads(assigned, members)) - min(loads(assigned, members)) <= 1


@given(OWNERS, MEMBERS)
def test_what_is_even_stays_as_it_is(owners: dict[str, str], members: set[str]) -> None:
    assigned = assign(ITEMS, owners, members, members)
    assert assigned == assign(ITEMS, assigned, members, members)


@given(OWNERS, MEMBERS)
def test_no_more_moves_than_an_even_spread_needs(owners: dict[str, str], members: set[str]) -> None:
    assigned = assign(ITEMS, owners, members, members)
    kept = {item: owner for item, owner in owners.items() if owner in members}
    moved = sum(assigned[item] != owner for item, owner in kept.items())
    share = -(-len(ITEMS) // len(members))
    fair = sorted((len(ITEMS) - number - 1) // len(members) + 1 for number in range(len(members)))
    surplus = sum(max(0, have - may) for have, may in zip(sorted(loads(kept, members)), fair, strict=True))
    assert moved <= surplus
    assert max(loads(assigned, members)) <= share


@given(OWNERS, MEMBERS, MEMBERS)
def test_only_gainers_are_given_anything(owners: dict[str, str], members: set[str], gainers: set[str]) -> None:
    assigned = assign(ITEMS, owners, members, gainers)
    assert set(ITEMS) == assigned.keys()
    assert all(owner in gainers or owner == owners.get(item) for item, owner in assigned.items())


@given(OWNERS, MEMBERS)
def test_without_rebalancing_what_has_an_owner_stays(owners: dict[str, str], members: set[str]) -> None:
    assigned = assign(ITEMS, owners, members, members, rebalance=False)
    assert all(assigned[item] == owner for item, owner in owners.items() if owner in members)


def test_nobody_owns_anything_where_nobody_is() -> None:
    assert {} == assign(ITEMS, {"0": "x"}, (), ())
