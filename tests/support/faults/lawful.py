"""A subscriber that checks every law, and that price checks agree with what it is told."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp
import orjson

from tests.support.faults.loop_clock import loop_time_s
from tests.support.faults.observing import MarketKey, Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable

_ASK_EVERY_S: Final = 0.1
_ASKED_AT_ONCE: Final = 20
_ANSWER_WITHIN_S: Final = 1.0
#: What is on its way to the subscriber arrives within this time, on a busy machine.
_ON_ITS_WAY_S: Final = 1.0
#: Two heartbeats of an engine, on a busy machine.
_READS_ON_WITHIN_S: Final = 3.0
_STATES_KEPT: Final = 100


class _Seen(NamedTuple):
    """A market as the subscriber was told, and when (monotonic seconds)."""

    at_s: float
    v: int
    status: str
    reason: str | None
    prices: dict[str, float | None]


class _Silence(NamedTuple):
    """A time without a message, longer than any is on its way: what serves the subscriber stood still (monotonic seconds)."""

    began_s: float
    ended_s: float


class Accepted(NamedTuple):
    """Odds that a price check has accepted, and when it was asked (monotonic seconds)."""

    asked_s: float
    market: MarketKey
    selection: str
    price: float


class Answers(NamedTuple):
    """Answers of a price check, between which times they were given, and the prices that were asked about."""

    asked_s: float
    answered_s: float
    reconnects: int
    quoted: list[float]
    results: list[dict[str, Any]]


class LawfulSubscriber(Subscriber):
    """A subscriber that checks every message: positions and versions never go back, and what is suspended has no price.

    Beside it price checks are sent to the gateway. Each must agree with something that the subscriber was told at that time. A
    process that stands still can't tell its subscriber anything, while the other worker of its port answers: then a check may
    be ahead of the subscriber, at a version that is past when it is told the next one; or it is refused as `stale`, until that
    process has read on. Whether what was accepted was right is
    judged by what the provider quoted (`accepted`).

    Args:
        base: the URL of the gateway.
        checks_base: its URL for price checks; None for the same.
        clock: monotonic seconds.
    """

    def __init__(self, base: str, checks_base: str | None = None, clock: Callable[[], float] = loop_time_s) -> None:
        super().__init__(base, clock)
        self._checks_base = checks_base or base
        self.violations: list[str] = []
        #: how many answers of price checks were compared
        self.compared = 0
        self._versions: dict[str, int] = {}
        self._positions: dict[str, tuple[int, int]] = {}
        self._told: dict[str, deque[_Seen]] = {}
        #: when the gateway has announced that it is stale, or live: monotonic seconds
        self._announced: deque[tuple[float, bool]] = deque([(0.0, False)], maxlen=_STATES_KEPT)
        self._waiting: deque[Answers] = deque()
        self._silences: deque[_Silence] = deque(maxlen=_STATES_KEPT)
        #: since when each market is refused as stale
        self._refused_s: dict[str, float] = {}
        #: what price checks have accepted; whoever judges it empties the list
        self.accepted: list[Accepted] = []
        #: when the last message arrived, monotonic seconds; 0 before the first
        self._received_s = 0.0
        self._turn = 0

    @property
    def is_lost(self) -> bool:
        """Whether the client itself knows that it has no current data: whoever follows the protocol shows no price."""
        return not self.client.connected or (bool(self.client.state.stale) and not self._announced[-1][1])

    def check(self, message: dict[str, Any]) -> None:
        """Check a message that was applied."""
        now_s = self.clock()
        if self._received_s and now_s - self._received_s > _ON_ITS_WAY_S:
            self._silences.append(_Silence(self._received_s, now_s))
        self._received_s = now_s
        if message["op"] in {"stale", "live"}:
            self._announced.append((now_s, message["op"] == "stale"))
        elif message["op"] == "welcome":
            self._announced.append((now_s, False))
        # Opaque to clients: this one checks the engine.
        for part in str(message.get("at") or "").split("."):
            if part:
                shard, epoch, seq = part.split("-")
                position = int(epoch, 16), int(seq, 16)
                if position == (0, 0):
                    continue  # no position: the shard is suspended because it is stale
                if position < self._positions.get(shard, (0, 0)):
                    self.violations.append(f"shard {shard} went back from {self._positions[shard]} to {position}")
                self._positions[shard] = position
        for change in message.get("markets", ()):
            if not change.get("removed"):
                self._check_market(self.client.state.markets[change["id"]], now_s)

    def _check_market(self, market: dict[str, Any], now_s: float) -> None:
        key = market["id"]
        prices = {key: each["price"] for key, each in market["selections"].items()}
        if market["v"] < self._versions.get(key, 0):
            self.violations.append(f"{key} went back from version {self._versions[key]} to {market['v']}")
        self._versions[key] = market["v"]
        if market["status"] != "open" and any(prices.values()):
            self.violations.append(f"{key} is {market['status']} and has a price")
        seen = _Seen(now_s, market["v"], market["status"], market["reason"], prices)
        self._told.setdefault(key, deque(maxlen=_STATES_KEPT)).append(seen)

    # -- price checks ---------------------------------------------------------------------------------------------

    async def check_quotes(self) -> None:
        """Send price checks until cancelled."""
        timeout = aiohttp.ClientTimeout(total=_ANSWER_WITHIN_S)
        # A connection each, so that the one that lasts is the subscriber's, and all workers are asked.
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(force_close=True)) as http:
            while True:
                await asyncio.sleep(_ASK_EVERY_S)
                await self._ask(http)
                self.compare_due()

    async def _ask(self, http: aiohttp.ClientSession) -> None:
        markets = list(self.client.state.markets.values())
        self._turn += _ASKED_AT_ONCE
        chosen = [markets[(self._turn + number) % len(markets)] for number in range(min(_ASKED_AT_ONCE, len(markets)))]
        quotes = []
        for market in chosen:
            selection, each = next(iter(market["selections"].items()))
            quotes.append({"market": market["id"], "selection": selection, "price": each["price"] or 1.01, "v": market["v"]})
        keys = {market["id"]: self.key_of(market) for market in chosen}
        reconnects, asked_s = self.client.reconnects, self.clock()
        try:
            async with http.post(f"{self._checks_base}/v1/quotes/check", data=orjson.dumps({"quotes": quotes})) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            return  # it is down, or does not answer: nobody takes a bet
        if response.status == 200:
            results = orjson.loads(body)["quotes"]
            for quote, answer in zip(quotes, results, strict=True):
                if answer["result"] == "ok" and (key := keys[quote["market"]]) is not None:
                    self.accepted.append(Accepted(asked_s, key, quote["selection"], quote["price"]))
            self.note_answers(Answers(asked_s, self.clock(), reconnects, [quote["price"] for quote in quotes], results))

    def note_answers(self, answers: Answers) -> None:
        """Note answers that were given. Not compared where the subscriber knows that it has nothing to compare them with."""
        for quoted, answer in zip(answers.quoted, answers.results, strict=True):
            if answer["result"] == "ok" and answer["price"] != quoted:
                self.violations.append(f"{answer['market']}: a price check accepts {quoted} and says {answer}")
        if not self.is_lost:
            self._waiting.append(answers)

    def compare_due(self) -> None:
        """Compare the answers of a while ago: what was on its way to the subscriber has arrived."""
        while self._waiting and self.clock() > self._due_s(self._waiting[0]):
            self._compare(self._waiting.popleft())

    def _silence_at(self, answers: Answers) -> _Silence | None:
        """Return the silence that answers fall into, or the time after it in which its process reads what it has missed."""
        asked_s = answers.asked_s - _ON_ITS_WAY_S
        silences = reversed(self._silences)
        return next((each for each in silences if each.began_s <= answers.answered_s and asked_s <= each.ended_s), None)

    def _due_s(self, answers: Answers) -> float:
        silence = self._silence_at(answers)
        return max(answers.answered_s, 0.0 if silence is None else silence.ended_s) + _ON_ITS_WAY_S

    def _compare(self, answers: Answers) -> None:
        """Compare answers with what the subscriber was told around that time."""
        if self.is_lost or self.client.reconnects != answers.reconnects or self._received_s < answers.answered_s:
            return  # what it was told then has not arrived
        from_s, until_s = answers.asked_s - _ON_ITS_WAY_S, self._due_s(answers)
        stood_still = self._silence_at(answers) is not None
        stale = _during(list(self._announced), from_s, until_s)
        for answer in answers.results:
            told = _during([(seen.at_s, seen) for seen in self._told.get(answer["market"], ())], from_s, until_s)
            if told:
                self.compared += 1
                is_refused = self._is_refused_in_passing(answers, answer) or (answer["result"] == "stale" and True in stale)
                is_excused = is_refused or (stood_still and _is_ahead(answer, told))
                if not is_excused and not any(_agrees(answer, seen) for seen in told):
                    latest = told[-1]
                    self.violations.append(f"{answer['market']}: a price check says {answer}, the subscriber was told {latest}")

    def _is_refused_in_passing(self, answers: Answers, answer: dict[str, Any]) -> bool:
        """Check whether a market was refused as stale, and not for long: a worker that has stood still has to read on first."""
        if answer["result"] != "stale":
            self._refused_s.pop(answer["market"], None)
            return False
        return answers.answered_s - self._refused_s.setdefault(answer["market"], answers.asked_s) < _READS_ON_WITHIN_S


def _during(history: list[tuple[float, Any]], from_s: float, until_s: float) -> list[Any]:
    """Return what held at some moment between two times."""
    return [
        what
        for place, (at_s, what) in enumerate(history)
        if at_s <= until_s and (place + 1 == len(history) or history[place + 1][0] > from_s)
    ]


def _is_ahead(answer: dict[str, Any], told: list[_Seen]) -> bool:
    """Check whether an answer is of a version between those that the subscriber was told, none of which it contradicts."""
    versions = {seen.v for seen in told}
    return answer["v"] is not None and answer["v"] not in versions and min(versions) < answer["v"] < max(versions)


def _agrees(answer: dict[str, Any], seen: _Seen) -> bool:
    if answer["result"] == "stale":
        return seen.reason == "stale"
    if answer["v"] != seen.v:
        return False
    if answer["result"] in {"ok", "price_changed"}:
        return seen.status == "open" and seen.prices.get(answer["selection"]) == answer["price"]
    return answer["result"] == seen.status or not seen.prices.get(answer["selection"])
