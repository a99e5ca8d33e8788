"""What sources have said so far, as the oracle keeps it: books, definitions, events, health.

Nothing here is the product's. Odds are decimal floats, sizes money, times Unix milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_NONZERO = set("123456789")
_RESULTED = {"winner", "loser", "void", "placed"}


@dataclass
class Selection:
    """A selection; the selections of a `line` sum to the winners of that line."""

    key: str
    status: str = "active"
    line: str = ""


@dataclass
class Book:
    """One selection at one source: rows by price or by level as (odds, size), a last trade, or a bookmaker's quote."""

    back: dict[float, tuple[float, float]] = field(default_factory=dict)
    lay: dict[float, tuple[float, float]] = field(default_factory=dict)
    last: float | None = None
    last_ms: int = 0
    quote: float | None = None
    #: how often something was said of it
    changes: int = 0

    def best_back(self, min_size: float = 0.0) -> tuple[float, float] | None:
        """Return the longest (odds, size) that can be backed with at least a size."""
        return max((row for row in self.back.values() if row[1] >= min_size), default=None)

    def best_lay(self, min_size: float = 0.0) -> tuple[float, float] | None:
        """Return the shortest (odds, size) that can be laid with at least a size."""
        return min((row for row in self.lay.values() if row[1] >= min_size), default=None)

    def depth(self, rows: int = 3) -> float:
        """Return the smaller of the sizes of the best rows of each side."""
        back = sorted(self.back.values(), reverse=True)[:rows]
        lay = sorted(self.lay.values())[:rows]
        return min(sum(size for _, size in back), sum(size for _, size in lay))


@dataclass
class Market:
    """A market as one source has it. `is_quoted` is true of a bookmaker."""

    id: str
    event: str
    type: str
    winners: int
    is_quoted: bool
    selections: dict[str, Selection]
    books: dict[str, Book]
    status: str = "open"
    in_play: bool = False
    start_ms: int | None = None
    received_ms: int = 0
    open_since_ms: int = 0
    #: grows with each new definition
    definitions: int = 0
    #: the quotes at the removal of a selection, until one of those left has another
    at_removal: dict[str, float] | None = None

    @property
    def has_result(self) -> bool:
        """Whether it is closed with a result."""
        return self.status == "closed" and any(each.status in _RESULTED for each in self.selections.values())

    def lines(self) -> dict[str, list[Selection]]:
        """Return the selections that can still win, by line."""
        lines: dict[str, list[Selection]] = {}
        for selection in self.selections.values():
            if selection.status in {"active", "suspended"}:
                lines.setdefault(selection.line, []).append(selection)
        return lines

    @property
    def open_winners(self) -> int:
        """The number of undecided selections that can still win."""
        return self.winners - sum(each.status == "winner" for each in self.selections.values())


@dataclass
class Event:
    """An event as one source describes it."""

    in_play: bool = False
    score: str | None = None
    start_ms: int | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it is in play, or has a score."""
        return self.in_play or bool(_NONZERO & set(self.score or ""))


@dataclass
class Source:
    """A source and all that it says now."""

    name: str
    is_bookmaker: bool
    health: str = "live"
    markets: dict[str, Market] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        """Whether its word counts now."""
        return self.health == "live"


@dataclass
class Statements:
    """All sources, most preferred first, and who has closed what with a result."""

    sources: dict[str, Source]
    #: (market, source) of results that their source has not taken back
    results: set[tuple[str, str]] = field(default_factory=set)
    #: how often something was said of a market
    changes: int = 0

    def note_results(self) -> None:
        """Add the results that live sources say now, and drop those whose live source has reopened the market."""
        for source in self.sources.values():
            for market in source.markets.values() if source.is_live else ():
                if market.has_result:
                    self.results.add((market.id, source.name))
                elif market.status != "closed":
                    self.results.discard((market.id, source.name))

    def start_of(self, market: Market) -> int | None:
        """Return a market's start: its own, else its event's as the first live source that knows it describes it."""
        return self.event_start_of(market) if market.start_ms is None else market.start_ms

    def event_start_of(self, market: Market) -> int | None:
        """Return the start of a market's event as the first live source that knows it describes it."""
        describing = [source for source in self.sources.values() if market.event in source.events]
        described_by = next((source for source in describing if source.is_live), describing[0] if describing else None)
        return None if described_by is None else described_by.events[market.event].start_ms
