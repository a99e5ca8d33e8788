"""The market model behind every emulated provider: matches, their markets, and fair probabilities that move.

Pure and reproducible: the same seed produces the same matches, names and moves, tick for tick, so that two providers with one
seed quote the same matches. `bias` makes the prices of one of them distinguishable from the other's.
"""

from __future__ import annotations

from random import Random
from typing import Final, Literal, NamedTuple

from feeds.emulators.core.goals import Outlook, Score

TICK_S: Final = 0.1
Kind = Literal["result", "total", "handicap", "both"]
#: The markets of every match: kind and line.
MARKETS: Final[tuple[tuple[Kind, float | None], ...]] = (
    ("result", None),
    ("total", 1.5),
    ("total", 2.5),
    ("total", 3.5),
    ("handicap", -0.5),
    ("both", None),
)
_PREFIXES: Final = ("Alder", "Bram", "Cold", "Dun", "Elm", "Fern", "Glen", "Hart", "Iron", "Kirk", "Lang", "Mill", "North", "Oak")
_SUFFIXES: Final = ("bridge", "combe", "dale", "field", "ford", "gate", "ham", "lea", "minster", "port", "stead", "wick")
_CLUBS: Final = ("United", "City", "Rovers", "Town", "Athletic", "Albion", "Wanderers")
LEAGUES: Final = (("101", "Northern League"), ("102", "Harbour Cup"), ("103", "Coast Division"))
_MOVES_KEPT: Final = 60
#: Bounds of a side's expected goals; beyond them some outcomes are too certain to be priced.
_MIN_RATE: Final = 0.8
_MAX_RATE: Final = 2.2
_MAX_RATE_STEP: Final = 0.06
_SUSPENDED_S: Final = 0.5
_FIRST_START_MS: Final = 2 * 3_600_000
_QUARTER_HOUR_MS: Final = 15 * 60_000


class Move(NamedTuple):
    """The state of a market from a tick on: its fair probabilities, None while it is suspended."""

    tick: int
    probabilities: dict[str, float] | None


class ModelMarket:
    """One market of a match: fair probabilities by role (`home`, `over`, `yes` ..), and the tick of its last change."""

    def __init__(self, event: ModelEvent, kind: Kind, line: float | None) -> None:
        self.event = event
        self.kind: Kind = kind
        self.line = line
        self.status: Literal["open", "suspended"] = "open"
        self.probabilities: dict[str, float] = {}
        self.changed_tick = 0
        self.suspended_until = 0
        #: the last moves, oldest first
        self.moves: list[Move] = []

    def record_move(self, tick: int) -> None:
        """Append the current state to `moves`."""
        self.moves.append(Move(tick, self.probabilities if self.status == "open" else None))
        del self.moves[:-_MOVES_KEPT]

    def odds(self, margin: float = 0.05) -> dict[str, float]:
        """Return a bookmaker's decimal odds by role, with a margin, rounded to hundredths."""
        return {role: max(1.01, round(1 / (each * (1 + margin)), 2)) for role, each in self.probabilities.items()}


class ModelEvent:
    """One match."""

    def __init__(self, random: Random, number: int, start_ms: int, *, in_play: bool) -> None:
        self.number = number
        self.home, self.away = _teams(random, number)
        self.league_id, self.league = LEAGUES[number % len(LEAGUES)]
        self.start_ms = start_ms
        self.in_play = in_play
        self.rates = [random.uniform(1.0, 1.9), random.uniform(0.8, 1.6)]
        self.markets = [ModelMarket(self, kind, line) for kind, line in MARKETS]


class MarketModel:
    """All matches at the current tick.

    Args:
        seed: of all random choices.
        events: the number of matches.
        start_ms: the wall-clock time of tick 0, Unix milliseconds; matches that are not in play start hours later.
        move_share: the share of matches that move in a tick.
        suspend_share: the share of markets suspended in a tick, for half a second each.
        in_play_share: the share of matches in play.
        bias: a relative error of this provider's opinion: it overrates the home side and few goals by this share.
    """

    def __init__(
        self,
        seed: int,
        events: int,
        start_ms: int,
        *,
        move_share: float = 0.2,
        suspend_share: float = 0.0,
        in_play_share: float = 0.3,
        bias: float = 0.0,
    ) -> None:
        self._random = Random(seed)  # noqa: S311 - a simulation, and reproducible
        self._start_ms = start_ms
        self._move_share = move_share
        self._suspend_share = suspend_share
        self._bias = bias
        self.ticks = 0
        names = Random(f"names/{seed}")  # noqa: S311 - a simulation
        in_play = round(events * in_play_share)
        # Kick-offs fall on whole quarters of an hour, the same for every provider of a run.
        base = start_ms // _QUARTER_HOUR_MS * _QUARTER_HOUR_MS
        self.events = [
            ModelEvent(
                names,
                number,
                base - _QUARTER_HOUR_MS if number < in_play else base + _FIRST_START_MS + number % 8 * _QUARTER_HOUR_MS,
                in_play=number < in_play,
            )
            for number in range(events)
        ]
        for event in self.events:
            self._reprice(event)

    @property
    def markets(self) -> list[ModelMarket]:
        """Every market of every match."""
        return [market for event in self.events for market in event.markets]

    def tick(self) -> list[ModelMarket]:
        """Advance by one tick and return the markets that changed."""
        self.ticks += 1
        changed: list[ModelMarket] = []
        for event in self.events:
            if self._random.random() < self._move_share:
                for side in (0, 1):
                    rate = event.rates[side] * (1 + self._random.uniform(-_MAX_RATE_STEP, _MAX_RATE_STEP))
                    event.rates[side] = min(max(rate, _MIN_RATE), _MAX_RATE)
                changed += self._reprice(event)
            for market in event.markets:
                if market.status == "suspended" and self.ticks >= market.suspended_until:
                    self._set_status(market, "open", changed)
                elif market.status == "open" and self._random.random() < self._suspend_share:
                    market.suspended_until = self.ticks + round(_SUSPENDED_S / TICK_S)
                    self._set_status(market, "suspended", changed)
        return changed

    def _set_status(self, market: ModelMarket, status: Literal["open", "suspended"], changed: list[ModelMarket]) -> None:
        market.status = status
        market.changed_tick = self.ticks
        market.record_move(self.ticks)
        if market not in changed:
            changed.append(market)

    def _reprice(self, event: ModelEvent) -> list[ModelMarket]:
        home, away = event.rates
        results = Outlook(Score(0, 0), home * (1 + self._bias), away * (1 - self._bias))
        goals = Outlook(Score(0, 0), home * (1 - self._bias), away * (1 - self._bias))
        changed = []
        for market in event.markets:
            probabilities = _probabilities(market, results, goals)
            if probabilities != market.probabilities:
                market.probabilities = probabilities
                market.changed_tick = self.ticks
                market.record_move(self.ticks)
                changed.append(market)
        return changed


def _probabilities(market: ModelMarket, results: Outlook, goals: Outlook) -> dict[str, float]:
    if market.kind == "result":
        return dict(zip(("home", "draw", "away"), results.result(), strict=True))
    if market.kind == "both":
        both = goals.both_score()
        return {"yes": both, "no": 1 - both}
    if market.kind == "total":
        over = goals.over(market.line or 0.5)
        return {"over": over, "under": 1 - over}
    home, _, _ = results.result()
    return {"home": home, "away": 1 - home}


def _teams(random: Random, number: int) -> tuple[str, str]:
    """Make two team names that no other match has."""
    sides = []
    for side in (0, 1):
        place = number * 2 + side
        town = _PREFIXES[place % len(_PREFIXES)] + _SUFFIXES[(place // len(_PREFIXES)) % len(_SUFFIXES)]
        sides.append(f"{town} {random.choice(_CLUBS)}")
    return sides[0], sides[1]
