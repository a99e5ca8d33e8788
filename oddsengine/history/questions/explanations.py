"""Explanations of prices, as the engine has noted them at that time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from oddsengine.commands.command import EVERY_PROFILE
from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.history.questions.markets import MarketThen
from oddsengine.history.questions.sightings import Absence
from oddsengine.history.rows.shard_rows import DAY_MS
from oddsengine.history.rows.tables import RecordKind, key_of
from oddsengine.streams.notes.log import Explanation

if TYPE_CHECKING:
    from oddsengine.history.questions.markets import MarketQuestions
    from oddsengine.history.questions.pool import HistoryPool

#: For how long after a price it is looked for an explanation that came late.
_LATE_MS: Final = 600_000
_LAST: Final = """
    SELECT at_ms, body FROM records WHERE key = $1 AND kind = $2 AND at_ms BETWEEN $3 AND $4
    ORDER BY at_ms DESC, number DESC LIMIT 1
"""
_NEXT: Final = """
    SELECT at_ms, body FROM records WHERE key = $1 AND kind = $2 AND at_ms BETWEEN $3 AND $4
    ORDER BY at_ms, number LIMIT 1
"""
_decode: Final = msgspec.msgpack.Decoder(Explanation).decode


class ExplanationThen(NamedTuple):
    """An explanation.

    Attributes:
        market: the market as it was at the time.
        at_ms: when the explanation was made.
        explanation: what led to the price; None if no engine has noted that.
        is_exact: whether it explains what was published at the time; if not, it explains an earlier version.
    """

    market: MarketThen
    at_ms: int
    explanation: Explanation | None
    is_exact: bool


class ExplanationQuestions:
    """Asks the history what led to prices.

    Args:
        pool: connections to it.
        markets: asks what was published.
    """

    def __init__(self, pool: HistoryPool, markets: MarketQuestions) -> None:
        self._pool = pool
        self._markets = markets

    async def explain(self, market: str, at_ms: int | None) -> ExplanationThen | Absence:
        """Return what led to the prices of a market at a time, or why that can't be said.

        Args:
            market: its id.
            at_ms: Unix milliseconds; None for as late as the history reaches.

        Raises:
            Unavailable: if the history can't be asked.
        """
        then = await self._markets.at(market, at_ms, None)
        if isinstance(then, Absence):
            return then
        key, last_ms = key_of(market), then.at_ms
        async with self._pool.connection() as (connection, _):
            # Mostly it is of the same days; what does not change is explained once, whenever that was.
            for first_ms, until_ms in ((last_ms - DAY_MS, last_ms), (0, last_ms - DAY_MS)):
                before = await _find(connection, _LAST, market, key, first_ms, until_ms)
                if before is not None:
                    break
            if before is not None and before[1].answer["v"] == then.record.v:
                return ExplanationThen(then, *before, is_exact=True)
            after = await _find(connection, _NEXT, market, key, last_ms + 1, last_ms + _LATE_MS)
        if after is not None and after[1].answer["v"] == then.record.v:
            return ExplanationThen(then, *after, is_exact=True)
        return (
            ExplanationThen(then, 0, None, is_exact=False) if before is None else ExplanationThen(then, *before, is_exact=False)
        )


async def _find(
    connection: Any, query: str, market: str, key: int, first_ms: int, last_ms: int
) -> tuple[int, Explanation] | None:
    row = await connection.fetchrow(query, key, RecordKind.EXPLANATION, first_ms, last_ms)
    if row is None:
        return None
    try:
        explanation = _decode(row["body"])
    except DECODING_ERRORS:
        return None
    return (row["at_ms"], explanation) if explanation.answer.get("market") == market else None


def of_profile(answer: dict[str, Any], profile: str) -> dict[str, Any]:
    """Return what an explanation says of one profile, as the engine says it to those who may see no other one."""
    allowed = {profile, *EVERY_PROFILE}
    return {
        **answer,
        "commands": [command for command in answer["commands"] if allowed.intersection(command["profiles"])],
        "profiles": _only(answer["profiles"], profile),
        "selections": {
            key: {**selection, "profiles": _only(selection["profiles"], profile)}
            for key, selection in answer["selections"].items()
        },
    }


def _only(profiles: dict[str, Any], profile: str) -> dict[str, Any]:
    return {profile: profiles[profile]} if profile in profiles else {}
