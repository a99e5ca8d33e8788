"""Fragments: the changes of markets as clients are sent them. Their publisher encodes them once for all gateways.

Ready are those in JSON with decimal odds, one for each profile. A gateway encodes any other from the change itself, on demand.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET

from oddsengine.commands.command import TRADER
from oddsengine.common import speedups
from oddsengine.domain.formats import FORMATTERS
from oddsengine.domain.market_types import default_name, place_of
from oddsengine.offer.entries.wire_types import MarketChanged, SelectionChanged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oddsengine.domain.changes import MarketChange, MarketState

#: The odds format of ready fragments.
READY_FORMAT: Final = "decimal"
_encode: Final = msgspec.json.Encoder().encode
#: The numbers of a fragment. What precedes one in a string has a backslash before its quote.
_NUMBERS: Final = re.compile(rb'(?<=[^\\]":)-?[0-9][0-9.eE+-]*')
_text: Final = lru_cache(maxsize=65_536)(_encode)


def ready_fragments(changes: Sequence[MarketChange], profiles: int) -> list[list[bytes]]:
    """Encode changes of markets in JSON, with the decimal odds of each of so many profiles."""
    by_profile: list[list[bytes]] = [[] for _ in range(profiles)]
    for change in changes:
        if change.identity is None and change.state is None and change.selections:
            # Written out: nearly all changes are of prices only, and the types cost four times as much.
            rows = []
            for selection in change.selections.values():
                if selection.name is not None or selection.status is not None or selection.result is not None:
                    break
                rows.append(selection.prices)
            else:
                head = b'{"id":%b,"v":%d,"selections":{' % (_text(change.id), change.v)
                for fragments, fragment in zip(
                    by_profile, _price_fragments(head, change.selections, rows, profiles), strict=True
                ):
                    fragments.append(fragment)
                continue
        for place, fragments in enumerate(by_profile):
            fragments.append(_encode(changed_market(change, place)))
    return by_profile


def _price_fragments(head: bytes, keys: Iterable[str], rows: list[tuple[int | None, ...]], profiles: int) -> list[bytes]:
    """Encode prices of a market, for each profile by itself."""
    if speedups.pricing is not None:
        return speedups.pricing.price_fragments(head, [*map(_text, keys)], rows, profiles)
    return [b"%b%b}}" % (head, b",".join(map(_priced, keys, prices))) for prices in zip(*rows, strict=True)]


@lru_cache(maxsize=65_536)
def _priced(key: str, price: int | None) -> bytes:
    """Encode a selection of which only the price has changed."""
    return b'%b:{"price":%b}' % (_encode(key), _encode(None if price is None else FORMATTERS[READY_FORMAT](price)))


def covers(earlier: bytes, later: bytes) -> bool:
    """Check whether a ready fragment sets all that an earlier one of the same market has set: they differ in numbers only."""
    return covers_in_python(earlier, later) if speedups.gateway_loops is None else speedups.gateway_loops.covers(earlier, later)


def covers_in_python(earlier: bytes, later: bytes) -> bool:
    """Check it; see `covers`."""
    return _NUMBERS.sub(b"0", earlier) == _NUMBERS.sub(b"0", later)


def changed_market(
    change: MarketChange, profile_index: int | None, odds_format: str = READY_FORMAT, *, with_fair: bool = False
) -> MarketChanged:
    """Return what clients are sent of a change, with the prices of one profile.

    Args:
        change: the change.
        profile_index: the profile's index in `prices`; None if the profile is not published, all prices are null then.
        odds_format: the format of the prices.
        with_fair: whether to include the fair probabilities of what has a price.
    """
    formatter = FORMATTERS[odds_format]
    selections: dict[str, SelectionChanged] = {}
    for key, selection in change.selections.items():
        price = None if profile_index is None else selection.prices[profile_index]
        encoded = selections[key] = SelectionChanged(None if price is None else formatter(price))
        if selection.name is not None:
            encoded.name = selection.name
            if selection.order is not None:
                encoded.order = selection.order
        if selection.status is not None:
            encoded.status = selection.status
        result = selection.result
        if result is not None:
            encoded.result, encoded.void_factor = result.outcome, result.void_factor
            encoded.dead_heat_factor = result.dead_heat_factor
    if with_fair:
        for key, selection in change.selections.items():
            if selection.fair and selections[key].price is not None:
                selections[key].fair = selection.fair / 1_000_000
    identity, state = change.identity, change.state
    changed = MarketChanged(change.id, change.v, selections=selections if selections or identity is not None else UNSET)
    if identity is not None:
        changed.event, changed.type, changed.period = identity.event, identity.type, identity.period
        changed.line, changed.unit, changed.winners = identity.line, identity.unit, identity.winners
        changed.name = identity.name or default_name(identity.type, identity.period, identity.line, identity.unit)
        changed.group, changed.order = place_of(identity.type, identity.period, identity.line, identity.unit)
    if state is not None:
        _set_state(changed, state, profile_index)
    return changed


def _set_state(changed: MarketChanged, state: MarketState, profile_index: int | None) -> None:
    changed.status, changed.reason, changed.in_play = state.status, state.reason, state.in_play
    if state.main_line is not None:
        changed.main_line = state.main_line
    if state.terms and profile_index is not None:
        terms = state.terms[profile_index]
        # Both, null or not, as a whole market has them: who merges a change into it field by field ends in the same state.
        changed.limit, changed.bet_delay_s = terms.limit, terms.bet_delay_s
        if terms.suspended and state.status == "open":
            changed.status, changed.reason = "suspended", TRADER
