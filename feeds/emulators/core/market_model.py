"""What is true at an emulated provider: events, their markets, and fair probabilities that move. Pure and reproducible.

The same seed gives the same events, names and moves, tick for tick, so that two providers of one seed quote the same matches;
`bias` makes the second one's opinion tell from the first one's.
"""

from __future__ import annotations

from random import Random
from typing import Final, Literal, NamedTuple

from feeds.emulators.core.goals import Outlook, Score

TICK_S: Final = 0.1
Kind = Literal["result", "total", "handicap", "both"]
#: The markets of every event: kind and line.
MARKETS: Final[tuple[tuple[Kind, float | None], ...]] = (
    ("result", None),
    ("total", 1.5),
    ("total", 2.5),
    ("total", 3.5),
    ("handicap", -0.5),
    ("both", None),
)
_FIRST: Final = ("Alder", "Bram", "Cold", "Dun", "Elm", "Fern", "Glen", "Hart", "Iron", "Kirk", "Lang", "Mill", "North", "Oak")
_SECOND: Final = ("bridge", "combe", "dale", "field", "ford", "gate", "ham", "lea", "minster", "port", "stead", "wick")
_LAST: Final = ("United", "City", "Rovers", "Town", "Athletic", "Albion", "Wanderers")
LEAGUES: Final = (("101", "Northern League"), ("102", "Harbour Cup"), ("103", "Coast Division"))
_KEPT_MOVES: Final = 60
#: Goals a match that a side may be expected to score: further out some outcomes are too certain to have a price.
_LEAST_RATE: Final = 0.8
_GREATEST_RATE: Final = 2.2
_FIRST_START_MS: Final = 2 * 3_600_000


class Move(NamedTuple):
    """A market as it was left at a tick: its fair probabilities, None while it is suspended."""

    tick: int
    probabilities: dict[str, float] | None


class TrueMarket:
    """One market of one event: its fair probabilities by role, and when it last changed (a tick)."""

    def __init__(self, event: TrueEvent, kind: Kind, line: float | None) -> None:
        self.event = event
        self.kind: Kind = kind
        self.line = line
        self.status: Literal["open", "suspended"] = "open"
        self.probabilities: dict[str, float] = {}
        self.changed_tick = 0
        self.suspended_until = 0
        #: how it was left, change by change
        self.moves: list[Move] = []

    def note(self, tick: int) -> None:
        """Keep how it is left at a tick."""
        self.moves.append(Move(tick, self.probabilities if self.status == "open" else None))
        del self.moves[:-_KEPT_MOVES]

    def odds(self, margin: float = 0.05) -> dict[str, float]:
        """Quote it as a bookmaker: decimal odds with a margin, in hundredths."""
        return {role: max(1.01, round(1 / (each * (1 + margin)), 2)) for role, each in self.probabilities.items()}


class TrueEvent:
    """One match."""

    def __init__(self, random: Random, number: int, start_ms: int, *, in_play: bool) -> None:
        self.number = number
        self.home, self.away = _teams(random, number)
        self.league_id, self.league = LEAGUES[number % len(LEAGUES)]
        self.start_ms = start_ms
        self.in_play = in_play
        self.rates = [random.uniform(1.0, 1.9), random.uniform(0.8, 1.6)]
        self.markets = [TrueMarket(self, kind, line) for kind, line in MARKETS]


class Truth:
    """All events at the present tick.

    Args:
        seed: of everything.
        events: how many matches.
        start_ms: the wall-clock time at tick 0, Unix milliseconds; matches that are not in play start hours later.
        move_share: the share of events that move in a tick.
        suspend_share: the share of markets suspended in a tick, for half a second each.
        in_play_share: the share of matches that are in play.
        bias: how much likelier the home side and few goals are held to be than they are, as a share.
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
        playing = round(events * in_play_share)
        minute = 60_000
        # Whole quarters of an hour, as kick-offs are, and the same for every provider of a run.
        base = start_ms // (15 * minute) * 15 * minute
        self.events = [
            TrueEvent(
                names,
                number,
                base - 15 * minute if number < playing else base + _FIRST_START_MS + number % 8 * 15 * minute,
                in_play=number < playing,
            )
            for number in range(events)
        ]
        for event in self.events:
            self._reprice(event)

    @property
    def markets(self) -> list[TrueMarket]:
        """List every market."""
        return [market for event in self.events for market in event.markets]

    def tick(self) -> list[TrueMarket]:
        """Go one tick on and give the markets that changed."""
        self.ticks += 1
        changed: list[TrueMarket] = []
        for event in self.events:
            if self._random.random() < self._move_share:
                for side in (0, 1):
                    rate = event.rates[side] * (1 + self._random.uniform(-0.06, 0.06))
                    event.rates[side] = min(max(rate, _LEAST_RATE), _GREATEST_RATE)
                changed += self._reprice(event)
            for market in event.markets:
                if market.status == "suspended" and self.ticks >= market.suspended_until:
                    self._restage(market, "open", changed)
                elif market.status == "open" and self._random.random() < self._suspend_share:
                    market.suspended_until = self.ticks + round(0.5 / TICK_S)
                    self._restage(market, "suspended", changed)
        return changed

    def _restage(self, market: TrueMarket, status: Literal["open", "suspended"], changed: list[TrueMarket]) -> None:
        market.status = status
        market.changed_tick = self.ticks
        market.note(self.ticks)
        if market not in changed:
            changed.append(market)

    def _reprice(self, event: TrueEvent) -> list[TrueMarket]:
        home, away = event.rates
        outlook = Outlook(Score(0, 0), home * (1 + self._bias), away * (1 - self._bias))
        few = Outlook(Score(0, 0), home * (1 - self._bias), away * (1 - self._bias))
        changed = []
        for market in event.markets:
            probabilities = _probabilities(market, outlook, few)
            if probabilities != market.probabilities:
                market.probabilities = probabilities
                market.changed_tick = self.ticks
                market.note(self.ticks)
                changed.append(market)
        return changed


def _probabilities(market: TrueMarket, outlook: Outlook, few: Outlook) -> dict[str, float]:
    if market.kind == "result":
        return dict(zip(("home", "draw", "away"), outlook.result(), strict=True))
    if market.kind == "both":
        both = few.both_score()
        return {"yes": both, "no": 1 - both}
    if market.kind == "total":
        over = few.over(market.line or 0.5)
        return {"over": over, "under": 1 - over}
    home, _, _ = outlook.result()
    return {"home": home, "away": 1 - home}


def _teams(random: Random, number: int) -> tuple[str, str]:
    """Make two names that no other event has."""
    sides = []
    for side in (0, 1):
        place = number * 2 + side
        first = _FIRST[place % len(_FIRST)] + _SECOND[(place // len(_FIRST)) % len(_SECOND)]
        sides.append(f"{first} {random.choice(_LAST)}")
    return sides[0], sides[1]
