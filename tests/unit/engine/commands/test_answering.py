"""Questions of gateways: what an engine answers, and what a gateway makes of silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from oddsengine.engine.answering import MAX_PER_S, Answering
from oddsengine.streams.floor.questions import Asker, NotAnswered, Question, Questions

if TYPE_CHECKING:
    from redis.asyncio import Redis


class Answers(Questions):
    """The end of an engine that keeps its answers."""

    def __init__(self) -> None:
        self.stream = "questions"
        self.given: list[tuple[str, bytes | None]] = []

    async def answer(self, question: Question, content: bytes | None) -> None:
        self.given.append((question.market, content))


def entry(number: int, market: str) -> tuple[bytes, dict[bytes, bytes]]:
    return f"{number}-0".encode(), {b"q": msgspec.msgpack.encode(Question(number, "g", market, None))}


def explain(market: str, _profile: str | None) -> bytes | None:
    if market == "broken":
        raise RuntimeError(market)
    return None if market == "gone" else market.encode()


async def test_an_owner_answers_what_it_owns_so_many_a_second_and_nothing_stops_it() -> None:
    answers, now_s = Answers(), [0.0]
    answering = Answering(answers, lambda market: market != "foreign", explain, lambda: now_s[0])
    await answering.answer([entry(1, "a"), entry(2, "foreign"), entry(3, "broken"), (b"4-0", {b"q": b"?"}), entry(5, "gone")])
    assert [("a", b"a"), ("gone", None)] == answers.given
    assert "5-0" == await answering.position()
    answers.given.clear()
    now_s[0] = 1.5
    for second, expected in ((1.5, MAX_PER_S), (2.5, MAX_PER_S + 1)):
        now_s[0] = second
        await answering.answer([entry(6, "a") for _ in range(MAX_PER_S * 2 if second < 2 else 1)])
        assert expected == len(answers.given)


async def test_silence_is_said_in_time(redis: Redis) -> None:
    asker = Asker(redis, "silent", within_s=0.05)
    with pytest.raises(NotAnswered, match=r"within 0\.05 s"):
        await asker.explain("e1/match_odds", None)
    await asker.close()
