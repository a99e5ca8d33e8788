"""The assignment of items to members: an even spread that moves as little as possible. Pure, and the same in every process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping


def assign(
    items: Iterable[str],
    owners: Mapping[str, str],
    members: Collection[str],
    gainers: Collection[str],
    *,
    rebalance: bool = True,
    can_own: Callable[[str, str], bool] = lambda _member, _item: True,
) -> dict[str, str]:
    """Return who should own each item.

    An item whose owner is a member stays, unless the owner has more than its share and another member less. The others go to
    those that have the fewest.

    Args:
        items: all items.
        owners: their present owners, members or not.
        members: who may keep what it owns.
        gainers: the members that may be given more.
        rebalance: whether a member with more than its share gives items away. Not where members can own different items.
        can_own: whether a member can own an item.

    Returns:
        By item, its owner; without those that nobody can own.
    """
    assigned: dict[str, str] = {}
    loads: dict[str, list[str]] = {member: [] for member in sorted({*members, *gainers})}
    free: list[str] = []
    for item in sorted(items):
        owner = owners.get(item, "")
        if owner in loads and can_own(owner, item):
            loads[owner].append(item)
            assigned[item] = owner
        else:
            free.append(item)
    gaining = sorted(gainers)
    if not gaining:
        return assigned
    for item in free:
        able = [member for member in gaining if can_own(member, item)]
        if not able:
            continue
        to = _least_loaded(able, loads)
        loads[to].append(item)
        assigned[item] = to
    while rebalance:
        to = _least_loaded(gaining, loads)
        giver = max(loads, key=lambda member: (len(loads[member]), member))
        if len(loads[giver]) - len(loads[to]) <= 1:
            break
        item = loads[giver].pop()
        loads[to].append(item)
        assigned[item] = to
    return assigned


def _least_loaded(members: Iterable[str], loads: Mapping[str, list[str]]) -> str:
    return min(members, key=lambda member: (len(loads[member]), member))
