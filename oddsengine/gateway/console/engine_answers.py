"""Answers that only engines and feeders have, for the HTTP API of any gateway: of the engine in its process, or by Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import orjson

from oddsengine.gateway.console.floor import SILENT_AFTER_S, feeds_of
from oddsengine.streams.connection import UNAVAILABLE
from oddsengine.streams.floor.board import ENGINE, decode_field
from oddsengine.streams.floor.questions import NotAnswered

if TYPE_CHECKING:
    from oddsengine.domain.ids import MarketId
    from oddsengine.streams.floor.board import FloorBoard
    from oddsengine.streams.floor.questions import Asker


class EngineView(Protocol):
    """An engine in the same process. It answers with JSON."""

    def owns(self, market: MarketId) -> bool:
        """Check whether this engine publishes the shard of a market."""
        ...

    def explain(self, market: MarketId, only_profile: str | None = None) -> bytes | None:
        """Encode how a market's prices were computed (None: for all profiles). Return None if it is not on offer."""
        ...

    def feeds(self) -> bytes:
        """Encode the status of every feed."""
        ...

    def unmatched(self) -> bytes:
        """Encode the pairs of events that may be the same."""
        ...


class NoAnswer(Exception):
    """No engine answers, and why."""


class EngineAnswers:
    """Answers of the engines of an installation, as JSON.

    Args:
        engine: the engine in this process; None if there is none.
        board: what engines and feeders report.
        asker: asks the engines of other processes.
    """

    def __init__(self, engine: EngineView | None, board: FloorBoard, asker: Asker) -> None:
        self._engine = engine
        self._board = board
        self._asker = asker

    async def explain(self, market: MarketId, only_profile: str | None) -> bytes | None:
        """Return how a market's prices were computed (None: for all profiles); None if it is not on offer. Raises NoAnswer."""
        if self._engine is not None and self._engine.owns(market):
            return self._engine.explain(market, only_profile)
        try:
            return await self._asker.explain(market, only_profile)
        except NotAnswered as error:
            raise NoAnswer(str(error)) from None
        except UNAVAILABLE as error:
            raise _unreachable() from error

    async def feeds(self) -> bytes:
        """Return the status of every feed. Raises NoAnswer."""
        if self._engine is not None:
            return self._engine.feeds()
        fields, current = await self._reported()
        feeds = feeds_of(fields, current.get)
        if not feeds and ENGINE not in current:
            raise _silent()
        return orjson.dumps({"feeds": list(feeds.values())})

    async def unmatched(self) -> bytes:
        """Return the pairs of events that may be the same. Raises NoAnswer."""
        if self._engine is not None:
            return self._engine.unmatched()
        _, current = await self._reported()
        if ENGINE not in current:
            raise _silent()
        return orjson.dumps({"unmatched": current[ENGINE].get("pairs", [])})

    async def _reported(self) -> tuple[list[str], dict[str, dict[str, Any]]]:
        """Return the names of all fields of the board, and those that are reported still."""
        try:
            stored = await self._board.read_aged()
        except UNAVAILABLE as error:
            raise _unreachable() from error
        decoded = {field: decode_field(field, value) for field, (value, age_s) in stored.items() if age_s < SILENT_AFTER_S}
        return list(stored), {field: value for field, value in decoded.items() if value is not None}


def _silent() -> NoAnswer:
    return NoAnswer(f"no engine has reported for {SILENT_AFTER_S:g} s")


def _unreachable() -> NoAnswer:
    return NoAnswer("Redis does not answer, through which the engines are asked")
