"""Questions of gateways that only the owner of a market can answer, through Redis.

All questions are in one short stream, beside the log of commands, which every engine waits for with the same read. The owner
of the market puts its answer into the list of the gateway that asks, which waits for all of its answers with one read.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.common.tasks import end_tasks
from oddsengine.streams.connection import UNAVAILABLE
from oddsengine.streams.keys import question_keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: How long a gateway waits for an answer.
ANSWER_WITHIN_S: Final = 2.0
#: How many questions one gateway waits for at a time.
MAX_ASKED: Final = 16
#: How many the stream keeps: those that nobody reads in time are not answered.
_QUESTIONS_KEPT: Final = 100
_WAIT_S: Final = 0.4
_ANSWERS_EXPIRE_MS: Final = 5000
_FIELD: Final = b"q"
_encode: Final = msgspec.msgpack.Encoder().encode
_log = structlog.get_logger(__name__)


class Question(msgspec.Struct, frozen=True, array_like=True):
    """A question about how a market's prices were computed.

    Attributes:
        id: which question of its gateway.
        gateway: names the gateway.
        market: the market.
        only_profile: the only profile to show; None for all.
    """

    id: int
    gateway: str
    market: str
    only_profile: str | None


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a question: JSON, or None for a market that is not on offer."""

    id: int
    content: bytes | None


_decode_question: Final = msgspec.msgpack.Decoder(Question).decode
_decode_answer: Final = msgspec.msgpack.Decoder(Answer).decode


class NotAnswered(Exception):
    """Nobody has answered: no engine owns the market's shard, or the engine or Redis is too busy."""


class Asker:
    """The end of a gateway.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        within_s: how long to wait for an answer.
    """

    def __init__(self, redis: Redis, namespace: str, within_s: float = ANSWER_WITHIN_S) -> None:
        self._redis = redis
        self._name = secrets.token_hex(8)
        self._keys = question_keys(namespace)
        self._within_s = within_s
        self._count = 0
        self._asked: dict[int, asyncio.Future[bytes | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def explain(self, market: str, only_profile: str | None) -> bytes | None:
        """Return how a market's prices were computed, as JSON; None if its owner does not have it on offer.

        Raises:
            NotAnswered: if nobody answers in time, or too many questions wait already.
            RedisError, OSError: if Redis does not answer.
        """
        if len(self._asked) >= MAX_ASKED:
            raise NotAnswered(f"{MAX_ASKED} questions to engines wait already")
        self._count += 1
        key = self._count
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._asked[key] = answer
        try:
            question = _encode(Question(key, self._name, market, only_profile))
            async with asyncio.timeout(self._within_s):
                await self._redis.xadd(self._keys.questions, {_FIELD: question}, maxlen=_QUESTIONS_KEPT, approximate=False)
                if self._reading is None or self._reading.done():
                    self._reading = asyncio.create_task(self._read(), name="answers of engines")
                return await answer
        except TimeoutError:
            raise NotAnswered(f"no engine that owns the market has answered within {self._within_s:g} s") from None
        finally:
            del self._asked[key]

    async def _read(self) -> None:
        """Read answers as long as anybody waits for one."""
        while self._asked:
            try:
                reply: Any = await self._redis.blpop([self._keys.answers(self._name)], timeout=_WAIT_S)
            except UNAVAILABLE as error:
                for each in self._asked.values():
                    if not each.done():
                        each.set_exception(error)
                return
            if reply is not None:
                answer = _decode_answer(reply[1])
                waiting = self._asked.get(answer.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer.content)

    async def close(self) -> None:
        """Read no more answers."""
        if self._reading is not None:
            await end_tasks([self._reading])


class Questions:
    """The end of an engine.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
    """

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._keys = question_keys(namespace)
        #: the stream, to be read with others of its hash tag
        self.stream = self._keys.questions

    async def last_id(self) -> str:
        """Return the id of the last question: those up to it are too old. Raises RedisError or OSError."""
        entries: Any = await self._redis.xrevrange(self.stream, count=1)
        return entries[0][0].decode() if entries else "0-0"

    async def answer(self, question: Question, content: bytes | None) -> None:
        """Answer a question. Raises RedisError or OSError if Redis does not answer."""
        key = self._keys.answers(question.gateway)
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.rpush(key, _encode(Answer(question.id, content)))
            pipeline.pexpire(key, _ANSWERS_EXPIRE_MS)
            await pipeline.execute()


def read_question(fields: dict[bytes, bytes]) -> Question | None:
    """Decode an entry of the stream. Return None if it can't be read."""
    try:
        return _decode_question(fields[_FIELD])
    except (KeyError, *DECODING_ERRORS) as error:
        _log.error("question unreadable", error=str(error))
        return None
