"""Answers the questions of gateways about markets that this engine owns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from oddsengine.common.internal_errors import InternalErrors
from oddsengine.streams.floor.questions import read_question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oddsengine.streams.clients.shared_reader import Entry
    from oddsengine.streams.floor.questions import Questions

#: How many questions an engine answers in a second, so that they take little of its time; the rest are not answered.
MAX_PER_S: Final = 50


class Answering:
    """Answers questions.

    Args:
        questions: the end of an engine.
        owns: whether this engine publishes a market.
        explain: encodes how a market's prices were computed; None if it is not on offer.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        questions: Questions,
        owns: Callable[[str], bool],
        explain: Callable[[str, str | None], bytes | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._questions = questions
        self._owns = owns
        self._explain = explain
        self._clock = clock
        self._errors = InternalErrors(clock)
        self._second_began_s = clock()
        self._in_second = 0
        self._position = ""
        #: what is read with the log of commands
        self.stream = questions.stream

    def restart(self) -> None:
        """Note that Redis may be another one, in which other ids come next."""
        self._position = ""

    async def position(self) -> str:
        """Return the id after which to read. Raises RedisError or OSError."""
        if not self._position:
            self._position = await self._questions.last_id()
        return self._position

    async def answer(self, entries: Iterable[Entry]) -> None:
        """Answer what was asked. Raises RedisError or OSError."""
        for key, fields in entries:
            self._position = key.decode()
            question = read_question(fields)
            if question is None or not self._owns(question.market) or not self._has_time():
                continue
            try:
                content = self._explain(question.market, question.only_profile)
            except Exception as problem:  # noqa: BLE001 - commands are followed by the same task
                self._errors.note("explain", problem)
                continue
            await self._questions.answer(question, content)

    def _has_time(self) -> bool:
        now_s = self._clock()
        if now_s - self._second_began_s >= 1:
            self._second_began_s, self._in_second = now_s, 0
        self._in_second += 1
        return self._in_second <= MAX_PER_S
