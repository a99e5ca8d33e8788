"""A simulated betting exchange: the markets of the matches, their order books, and their changes in Betfair's words.

Pure: a tick in, market changes out. The same seed produces the same changes, tick for tick.
"""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any, Final

from feeds.emulators.core.goals import Score
from oddsengine.domain.ladders import BETFAIR

if TYPE_CHECKING:
    from collections.abc import Callable

    from feeds.emulators.core.goals import Outlook
    from feeds.emulators.simulator.fixtures import Match, MatchState, Pace
    from oddsengine.domain.feed_updates import PriceSize

TICK_S: Final = 0.2
#: The probability that a market's book moves in one tick, before the match and in play.
_MOVES_BEFORE: Final = 0.08
_MOVES_IN_PLAY: Final = 0.4
_LEVELS: Final = 3
#: The distance of the best offers from the fair odds, as a share of the odds.
_HALF_SPREAD: Final = 0.006
_MIN_PROBABILITY: Final = 1 / 900
_DRAW: Final = 58805
#: The probability that a bet is matched when a book moves.
_MATCHED_SHARE: Final = 0.3

#: (runner id, handicap) -> probability
Probabilities = dict[tuple[int, float], float]

_SCORES: Final = tuple(Score(home, away) for home in range(4) for away in range(4))


def _match_odds(match: Match, outlook: Outlook) -> Probabilities:
    home, draw, away = outlook.result()
    return {(_team(match, "home"), 0.0): home, (_team(match, "away"), 0.0): away, (_DRAW, 0.0): draw}


def _totals(line: float) -> Callable[[Match, Outlook], Probabilities]:
    first = 47972 + int(line) * 10

    def probabilities(_match: Match, outlook: Outlook) -> Probabilities:
        over = outlook.over(line)
        return {(first, 0.0): 1.0 - over, (first + 1, 0.0): over}

    return probabilities


def _both_score(_match: Match, outlook: Outlook) -> Probabilities:
    both = outlook.both_score()
    return {(30246, 0.0): both, (110503, 0.0): 1.0 - both}


def _correct_score(_match: Match, outlook: Outlook) -> Probabilities:
    known = {(1 + index, 0.0): outlook.final_score(score) for index, score in enumerate(_SCORES)}
    home, draw, away = outlook.result()
    for runner, outcome, listed in (
        (9063254, home, [score for score in _SCORES if score.home > score.away]),
        (9063255, away, [score for score in _SCORES if score.home < score.away]),
        (9063256, draw, [score for score in _SCORES if score.home == score.away]),
    ):
        known[runner, 0.0] = max(0.0, outcome - sum(outlook.final_score(score) for score in listed))
    return known


def _handicap(*lines: float) -> Callable[[Match, Outlook], Probabilities]:
    def probabilities(match: Match, outlook: Outlook) -> Probabilities:
        book: Probabilities = {}
        # As on a real exchange, all goals of the match count, also those before the bet.
        lead = outlook.score.home - outlook.score.away
        for line in lines:
            home = outlook.handicap(line + lead)
            book[_team(match, "home"), line] = home
            book[_team(match, "away"), -line] = 1.0 - home
        return book

    return probabilities


def _team(match: Match, side: str) -> int:
    return int(match.event_id) * 2 + (side == "away")


#: Betfair market type -> probabilities of its runners
_MARKETS: Final[dict[str, Callable[[Match, Outlook], Probabilities]]] = {
    "MATCH_ODDS": _match_odds,
    "OVER_UNDER_15": _totals(1.5),
    "OVER_UNDER_25": _totals(2.5),
    "OVER_UNDER_35": _totals(3.5),
    "BOTH_TEAMS_TO_SCORE": _both_score,
    "ASIAN_HANDICAP": _handicap(-0.75, -0.25, 0.5),
    "CORRECT_SCORE": _correct_score,
}


class SimulatedMarket:
    """One market: its definition, and its books as last published."""

    def __init__(self, match: Match, number: int, market_type: str) -> None:
        self.match = match
        self.id = f"1.{match.event_id}{number}"
        self.type = market_type
        self.version = 1
        self.definition: dict[str, Any] = {}
        #: (runner id, handicap) -> rows to back and to lay, best first
        self.books: dict[tuple[int, float], tuple[list[PriceSize], list[PriceSize]]] = {}
        self.last: dict[tuple[int, float], float] = {}
        self.closed = False

    def probabilities(self, outlook: Outlook) -> Probabilities:
        """Return the probability of each runner."""
        return _MARKETS[self.type](self.match, outlook)


class Exchange:
    """All markets at the current tick.

    Args:
        seed: of the simulation.
        matches: returns the current matches at a time in seconds.
        pace: how fast they run.
        start_ms: the wall-clock time of tick 0, Unix milliseconds.
    """

    def __init__(self, seed: int, matches: Callable[[float], list[Match]], pace: Pace, start_ms: int) -> None:
        self._matches = matches
        self._pace = pace
        self._start_ms = start_ms
        self._random = Random(f"{seed}/books")  # noqa: S311 - a simulation, and reproducible
        self._markets: dict[str, list[SimulatedMarket]] = {}
        self.ticks = 0

    @property
    def pt_ms(self) -> int:
        """The publish time of the current tick, Unix milliseconds."""
        return self._start_ms + round(self.ticks * TICK_S * 1000)

    @property
    def markets(self) -> list[SimulatedMarket]:
        """Every current market."""
        return [market for markets in self._markets.values() for market in markets]

    def tick(self) -> list[dict[str, Any]]:
        """Advance by one tick and return the market changes in Betfair's words."""
        self.ticks += 1
        now_s = self.ticks * TICK_S
        changes: list[dict[str, Any]] = []
        matches = self._matches(now_s)
        current = {match.event_id for match in matches}
        for event in [event for event in self._markets if event not in current]:
            del self._markets[event]
        for match in matches:
            state = match.state(now_s)
            if state.phase == "gone":
                self._markets.pop(match.event_id, None)
                continue
            markets = self._markets.get(match.event_id)
            if markets is None:
                markets = [SimulatedMarket(match, number, kind) for number, kind in enumerate(_MARKETS)]
                self._markets[match.event_id] = markets
            outlook = match.outlook(now_s)
            for market in markets:
                change = self._advance(market, state, outlook)
                if change is not None:
                    changes.append(change)
        return changes

    def image(self, market: SimulatedMarket, *, by_level: bool = True) -> dict[str, Any]:
        """Return the full image of a market."""
        return {
            "id": market.id,
            "img": True,
            "marketDefinition": market.definition,
            "rc": [
                self._runner(key, _rows([], back), _rows([], lay), market.last.get(key), by_level=by_level)
                for key, (back, lay) in market.books.items()
            ],
        }

    def _advance(self, market: SimulatedMarket, state: MatchState, outlook: Outlook) -> dict[str, Any] | None:
        if market.closed:
            return None
        probabilities = market.probabilities(outlook)
        # As on a real exchange, a market whose outcome no goal can change is settled at once.
        settled = state.phase == "ended" or (
            market.type != "ASIAN_HANDICAP" and state.phase == "playing" and max(probabilities.values()) > 1 - 1e-9
        )
        definition = self._definition(market, state, probabilities, settled=settled)
        is_new = not market.definition
        change: dict[str, Any] = {"id": market.id}
        if definition != market.definition:
            if not is_new:
                market.version += 1
            market.definition = change["marketDefinition"] = {**definition, "version": market.version}
        market.closed = settled
        move_probability = _MOVES_IN_PLAY if state.phase == "playing" else _MOVES_BEFORE
        if (
            not settled
            and state.phase in {"before", "playing"}
            and (not market.books or self._random.random() < move_probability)
        ):
            rows = self._move(market, probabilities)
            if rows:
                change["rc"] = rows
        if is_new:
            return self.image(market)
        return change if len(change) > 1 else None

    def _definition(
        self, market: SimulatedMarket, state: MatchState, probabilities: Probabilities, *, settled: bool
    ) -> dict[str, Any]:
        match = market.match
        in_play = state.phase not in {"before", "turning"}
        status = "CLOSED" if settled else "OPEN" if state.phase in {"before", "playing"} else "SUSPENDED"
        kick_off = datetime.fromtimestamp((self._start_ms / 1000) + match.kick_off_s, UTC)
        return {
            "version": market.version,
            "status": status,
            "inPlay": in_play,
            "betDelay": 5 if in_play else 0,
            "eventId": match.event_id,
            "eventTypeId": "1",
            "eventName": match.name,
            "marketType": market.type,
            "bettingType": "ASIAN_HANDICAP_DOUBLE_LINE" if market.type == "ASIAN_HANDICAP" else "ODDS",
            "marketTime": kick_off.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "numberOfWinners": 1,
            "turnInPlayEnabled": True,
            "complete": True,
            "runners": [
                {
                    "id": runner,
                    **({"hc": handicap} if handicap else {}),
                    "name": _runner_name(match, market.type, runner),
                    "sortPriority": 1 + order,
                    "status": _settlement(probability) if settled else "ACTIVE",
                }
                for order, ((runner, handicap), probability) in enumerate(probabilities.items())
            ],
            "simulated": {
                "competitionId": match.competition_id,
                "competitionName": match.competition,
                "score": f"{state.score.home}-{state.score.away}" if in_play else None,
                "clock": f"{state.minute}'" if in_play else None,
            },
        }

    def _move(self, market: SimulatedMarket, probabilities: Probabilities) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for key, probability in probabilities.items():
            before_back, before_lay = market.books.get(key, ([], []))
            back, lay = self._book(probability)
            market.books[key] = (back, lay)
            changed_back, changed_lay = _rows(before_back, back), _rows(before_lay, lay)
            last = None
            if back and self._random.random() < _MATCHED_SHARE:
                last = market.last[key] = back[0][0]
            if changed_back or changed_lay or last is not None:
                rows.append(self._runner(key, changed_back, changed_lay, last))
        return rows

    def _book(self, probability: float) -> tuple[list[PriceSize], list[PriceSize]]:
        if not _MIN_PROBABILITY < probability < 1 - _MIN_PROBABILITY:
            return [], []
        fair = 1000 / probability
        ticks = BETFAIR.ticks
        best = BETFAIR.at_or_below(fair * (1 - _HALF_SPREAD)) or ticks[0]
        back_at = ticks.index(best)
        lay_at = max(back_at + 1, ticks.index(BETFAIR.at_or_above(fair * (1 + _HALF_SPREAD)) or ticks[-1]))
        back = [(ticks[at] / 1000, self._size()) for at in range(back_at, max(back_at - _LEVELS, -1), -1)]
        lay = [(ticks[at] / 1000, self._size()) for at in range(lay_at, min(lay_at + _LEVELS, len(ticks)))]
        return back, lay

    def _size(self) -> float:
        return round(self._random.lognormvariate(4.5, 1.0), 2) + 2

    @staticmethod
    def _runner(
        key: tuple[int, float],
        back: list[tuple[int, float, float]],
        lay: list[tuple[int, float, float]],
        last: float | None,
        *,
        by_level: bool = True,
    ) -> dict[str, Any]:
        runner, handicap = key
        change: dict[str, Any] = {"id": runner}
        if handicap:
            change["hc"] = handicap
        if back:
            change |= {"batb": back} if by_level else {"atb": [row[1:] for row in back]}
        if lay:
            change |= {"batl": lay} if by_level else {"atl": [row[1:] for row in lay]}
        if last is not None:
            change["ltp"] = last
        return change


def _rows(before: list[PriceSize], after: list[PriceSize]) -> list[tuple[int, float, float]]:
    """Return the changed levels; a removed level has size 0."""
    rows = [
        (level, price, size)
        for level, (price, size) in enumerate(after)
        if level >= len(before) or before[level] != (price, size)
    ]
    return rows + [(level, 0.0, 0.0) for level in range(len(after), len(before))]


def _settlement(probability: float) -> str:
    return "WINNER" if probability > 0.5 else "LOSER"  # noqa: PLR2004 - a settled market has probabilities 0 and 1


def _runner_name(match: Match, market_type: str, runner: int) -> str:
    if runner == _DRAW:
        return "The Draw"
    if market_type in {"MATCH_ODDS", "ASIAN_HANDICAP"}:
        return match.home if runner == _team(match, "home") else match.away
    if market_type == "CORRECT_SCORE":
        others = {9063254: "Any other home win", 9063255: "Any other away win", 9063256: "Any other draw"}
        return others.get(runner) or "{} - {}".format(*_SCORES[runner - 1])
    if market_type == "BOTH_TEAMS_TO_SCORE":
        return "Yes" if runner == 30246 else "No"  # noqa: PLR2004 - Betfair's runner id
    line = float(market_type.removeprefix("OVER_UNDER_")) / 10
    return f"{'Over' if runner % 2 else 'Under'} {line} Goals"
