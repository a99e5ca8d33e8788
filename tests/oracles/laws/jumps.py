"""The law of jumps: a market is not open at probabilities that jumped unless something said so twice.

The first look at a jump is suspended, unless another live source allows the same probabilities now. Later it may be open only if
something was said of the event in between. What a source itself reopens a market at is no jump.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from tests.oracles.arithmetic import ERROR, Refused, intervals
from tests.oracles.laws.prices import settings_of, speakers

if TYPE_CHECKING:
    from collections import Counter

    from tests.oracles.laws.prices import Published
    from tests.oracles.rules import Config, Settings
    from tests.oracles.statements import Market, Statements


class _Seen(NamedTuple):
    """The probabilities a market was last open at, and how much had been said when it was first suspended since."""

    fair: Mapping[str, float]
    said: int | None = None


class Jumps:
    """The prices at which each market was last open."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def check(
        self, said: Statements, config: Config, market: str, published: Published, now_ms: int, counts: Counter[str]
    ) -> list[str]:
        """Return what is wrong with a market after a flush, by what it was open at before.

        Args:
            said: what the sources have said.
            config: the profiles and the sourcing rule.
            market: its id.
            published: what is on offer.
            now_ms: the time of the flush.
            counts: is increased by what was checked.
        """
        if published.status != "open":
            self._note_suspended(said, market)
            return []
        try:
            speaking = speakers(said, config, market)
        except Refused:
            return []  # the other laws say so
        held = speaking[0].markets[market]
        settings = [settings_of(said, held, each, now_ms) for each in config.profiles.values()]
        limit = min((each.jump_limit for each in settings if each.jump_limit), default=0.0)
        if not limit:
            return []
        fair = {key: probability for key, each in published.fair.items() if (probability := each[0]) is not None}
        before, self._seen[market] = self._seen.get(market, _Seen(fair)), _Seen(fair)
        jumped = [key for key, each in fair.items() if _is_far(before.fair.get(key, each), each, limit)]
        counts["jumps"] += bool(jumped)
        if not jumped or (before.said is not None and said.changes > before.said):
            return []
        is_one = config.sourcing.mode == "priority" and (not config.sourcing.hold_s or len(said.sources) == 1)
        for source in said.sources.values():
            is_other = source.is_live and not (is_one and source is speaking[0])
            if is_other and _allows(source.markets.get(market), held, fair, settings[0], limit):
                return []
        return [f"open at {fair} after {dict(before.fair)}, and nothing has confirmed the jump of {', '.join(jumped)}"]

    def _note_suspended(self, said: Statements, market: str) -> None:
        seen = self._seen.get(market)
        if seen is None:
            return
        if any(_may_reopen(said, source.markets[market]) for source in said.sources.values() if market in source.markets):
            del self._seen[market]
        elif seen.said is None:
            self._seen[market] = seen._replace(said=said.changes)


def _is_far(before: float, now: float, limit: float) -> bool:
    return abs(now - before) > limit * before + ERROR


def _may_reopen(said: Statements, held: Market) -> bool:
    """Check whether a market is not open because a source has it so, or because states differ: what it reopens at is no jump."""
    others = [other.markets[held.id] for other in said.sources.values() if held.id in other.markets]
    return (
        held.status != "open"
        or any(market == held.id for market, _ in said.results)
        or any(other.in_play != held.in_play for other in others)
        or any(event.has_begun for each in said.sources.values() if (event := each.events.get(held.event)) is not None)
    )


def _allows(other: Market | None, held: Market, fair: Mapping[str, float], settings: Settings, limit: float) -> bool:
    """Check whether another source's offers allow probabilities that are no jump away from these."""
    if other is None or other.status != "open" or other.in_play != held.in_play:
        return False
    try:
        allowed = intervals(other, settings)
    except Refused:
        return False
    return all(
        key in allowed and allowed[key].low * (1 - limit) - ERROR <= each <= allowed[key].high * (1 + limit) + ERROR
        for key, each in fair.items()
    )
