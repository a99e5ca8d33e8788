"""Random stories: sources that say one thing after another, and the oracle's look at all that is open after every flush."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.oracles.arithmetic import Refused, intervals
from tests.oracles.laws import Jumps, across_lines, across_markets, violations
from tests.oracles.laws.scores import common_score
from tests.oracles.markets import CARDS, SCORED, SPOILT, TOTALS, exchange_offers, probabilities, quote
from tests.oracles.rules import Config, Settings, Sourcing
from tests.oracles.statements import Event, Market, Selection
from tests.oracles.world import World

if TYPE_CHECKING:
    from tests.oracles.laws import Published
    from tests.oracles.markets import MarketKind, Offers

_MINUTE_MS = 60_000
#: (name, whether it is a bookmaker); of the exchanges one sends its rows by level
_SOURCES = (("f.ladder", False), ("f.levels", False), ("f.bookmaker", True), ("f.other", True))
_SUSPEND_EARLY = (({"starts_within_min": 10}, {"suspend": True}),)
_CHEAPER_IN_PLAY = (({"in_play": True}, {"book_sum": 1.1, "max_age_s": 20.0}),)

#: What was checked in all stories of this process.
COUNTS: Counter[str] = Counter()

_RESTS = st.sampled_from(("", "", "", "", "", "", "", *SPOILT))


def _profile(chance: Random) -> Settings:
    """Return a profile: mostly defaults, each now and then another."""

    def seldom(default: Any, *others: Any) -> Any:
        return chance.choice((default, default, *others))

    return Settings(
        devig=seldom("power", "shin", "additive", "goto", "odds_ratio"),
        source_overround=seldom(0.0, 1.06),
        max_source_overround=seldom(1.35, 1.15),
        book_sum=seldom(1.05, 1.0, 1.1),
        method=seldom("multiplicative", "power", "odds_ratio"),
        ladder=seldom("betfair", "decimal_3"),
        rounding=seldom("down", "balanced", "balanced_over_fair"),
        skew=seldom(1.0, 1.0, 1.0, 1.2),
        shift=seldom({}, {}, {}, {"home": 0.1}),
        min_move=seldom(0.0, 0.02),
        max_move=seldom(0.0, 0.05),
        max_age_s=seldom(0.0, 30.0, 60.0),
        jump_limit=seldom(0.0, 0.0, 0.15, 0.4),
        require_complete_book=seldom(False, False, True),
        max_spread=seldom(0.25, 0.1),
        min_size=seldom(2.0, 50.0),
        min_depth=seldom(0.0, 20.0),
        last_traded=seldom(False, True),
        last_traded_max_age_s=seldom(60.0, 20.0),
        rules=seldom((), _SUSPEND_EARLY, _CHEAPER_IN_PLAY),
    )


# Drawn beforehand, with the defaults first: a story draws one number for all of a profile, and shrinks to the first.
_CHANCE = Random(17)
profiles = st.sampled_from([Settings(devig="power"), *(_profile(_CHANCE) for _ in range(1000))])
weights = st.sampled_from([[1] * 5, *([_CHANCE.randint(1, 20) for _ in range(5)] for _ in range(200))])
sourcings = st.builds(
    Sourcing,
    mode=st.sampled_from(("priority", "priority", "consensus")),
    min_sources=st.sampled_from((1, 2)),
    outlier=st.sampled_from((0.05, 0.3)),
    hold_s=st.sampled_from((0.0, 0.0, 30.0)),
    primary_suspends=st.booleans(),
    shared_state=st.sampled_from((True, True, True, False)),
    late_in_play=st.sampled_from(((), (), ("f.bookmaker",))),
)


class Stories(RuleBasedStateMachine):
    """One story: its sources, profiles and markets, and what happens."""

    @initialize(
        sources=st.lists(st.sampled_from(_SOURCES), min_size=1, max_size=3, unique=True),
        card=st.sampled_from(CARDS),
        one=profiles,
        other=st.one_of(st.none(), profiles),
        sourcing=sourcings,
        at=weights,
    )
    def begin(
        self,
        sources: list[tuple[str, bool]],
        card: tuple[MarketKind, ...],
        one: Settings,
        other: Settings | None,
        sourcing: Sourcing,
        at: list[int],
    ) -> None:
        COUNTS["stories"] += 1
        self.names = [name for name, _ in sources]
        self.card = card
        self.jumps = Jumps()
        config = Config({"default": one} if other is None else {"default": one, "other": other}, sourcing)
        self.world = World(dict(sources), config)
        for source in self.names:
            for kind in card:
                if kind.event not in self.world.said.sources[source].events:
                    self.world.describe(source, kind, Event())
                self._offer_all(source, kind, at, 0.01, 100.0, "", image=True)
        self.flush()

    def flush(self) -> None:
        """Publish, and hold everything that is open to the laws."""
        COUNTS["flushes"] += 1
        self.world.flush()
        wrong: list[str] = []
        found: dict[str, Published] = {}
        for kind in self.card:
            published = self.world.published(kind.id)
            if published is not None:
                found[kind.id] = published
                each = violations(self.world.said, self.world.config, kind.id, published, self.world.now_ms, COUNTS)
                each += self.jumps.check(self.world.said, self.world.config, kind.id, published, self.world.now_ms, COUNTS)
                wrong += [f"{kind.id}: {text}" for text in each]
        totals = {kind.line: found[kind.id] for kind in TOTALS if kind.line is not None and kind.id in found}
        wrong += across_lines(totals, "over", "under")
        scored = {kind: found[key] for key, kind in SCORED.items() if key in found}
        wrong += across_markets(scored, common_score(self.world.said.sources.values(), "e4"), COUNTS)
        assert not wrong, "\n".join([*wrong, str(self.world.config), *map(str, self.world.said.sources.values()), str(found)])

    def _after(self, *, flush: bool) -> None:
        if flush:
            self.flush()

    def _offers(self, source: str, probability: float, spread: float, size: float, spoilt: str) -> Offers:
        if self.world.said.sources[source].is_bookmaker:
            return quote(probability, 0.05, spoilt)
        return exchange_offers(probability, spread, size, spoilt)

    def _offer_all(
        self, source: str, kind: MarketKind, at: list[int], spread: float, size: float, spoilt: str, *, image: bool
    ) -> None:
        """Offer every selection, the last one spoilt."""
        likely = probabilities(kind, at, None if image else self._can_win(source, kind))
        last = kind.keys[-1]
        offers = {key: self._offers(source, each, spread, size, spoilt if key == last else "") for key, each in likely.items()}
        definition = None
        if image:
            selections = {key: Selection(key, line=line) for key, line, _ in kind.selections}
            quotes = self.world.said.sources[source].is_bookmaker
            definition = Market(kind.id, kind.event, kind.type, kind.winners, quotes, selections, {})
        self.world.offer(source, kind, offers, definition)

    def _can_win(self, source: str, kind: MarketKind) -> list[str] | None:
        """Return the selections that can win as a source has them; None where none can."""
        held = self.world.said.sources[source].markets.get(kind.id)
        selections = [] if held is None else held.selections.values()
        return [each.key for each in selections if each.status in {"active", "suspended"}] or None

    def _of(self, source: int, market: int) -> tuple[str, MarketKind]:
        return self.names[source % len(self.names)], self.card[market % len(self.card)]

    @rule(
        source=st.integers(0, 2),
        market=st.integers(0, 4),
        at=weights,
        spread=st.sampled_from((0.002, 0.01, 0.05)),
        size=st.sampled_from((3.0, 100.0, 5000.0)),
        spoilt=_RESTS,
        image=st.booleans(),
        flush=st.booleans(),
    )
    def offer(
        self, source: int, market: int, at: list[int], spread: float, size: float, spoilt: str, image: bool, flush: bool
    ) -> None:
        """Offer a whole market anew."""
        name, kind = self._of(source, market)
        self._offer_all(name, kind, at, spread, size, spoilt, image=image)
        self._after(flush=flush)

    @rule(
        source=st.integers(0, 2),
        market=st.integers(0, 4),
        selection=st.integers(0, 4),
        at=weights,
        spread=st.sampled_from((0.002, 0.01, 0.05)),
        size=st.sampled_from((1.0, 3.0, 100.0)),
        spoilt=_RESTS,
        flush=st.sampled_from((True, True, False)),
    )
    def move(
        self, source: int, market: int, selection: int, at: list[int], spread: float, size: float, spoilt: str, flush: bool
    ) -> None:
        """Offer one selection otherwise, near or far from what was said of it before."""
        name, kind = self._of(source, market)
        key = kind.keys[selection % len(kind.keys)]
        probability = probabilities(kind, at)[key]
        self.world.offer(name, kind, {key: self._offers(name, probability, spread, size, spoilt)}, None)
        self._after(flush=flush)

    @rule(
        source=st.integers(0, 2),
        market=st.integers(0, 4),
        selection=st.integers(0, 4),
        factor=st.sampled_from((0.9, 0.97, 1.0, 1.03, 1.1)),
        spoilt=_RESTS,
        flush=st.sampled_from((True, True, False)),
    )
    def nudge(self, source: int, market: int, selection: int, factor: float, spoilt: str, flush: bool) -> None:
        """Move one selection by little."""
        name, kind = self._of(source, market)
        key = kind.keys[selection % len(kind.keys)]
        held = self.world.said.sources[name].markets.get(kind.id)
        book = None if held is None else held.books.get(key)
        now = None if book is None else book.quote or (book.best_back() or (None,))[0]
        if now is not None:
            margin = 1.05 if self.world.said.sources[name].is_bookmaker else 1.01
            probability = min(0.97, 1 / now / margin * factor)
            self.world.offer(name, kind, {key: self._offers(name, probability, 0.01, 100.0, spoilt)}, None)
            self._after(flush=flush)

    @rule(
        source=st.integers(0, 2),
        market=st.integers(0, 4),
        selection=st.integers(0, 4),
        odds=st.sampled_from((None, None, 1.05, 1.5, 2.0, 3.5, 8.0)),
        flush=st.booleans(),
    )
    def trade(self, source: int, market: int, selection: int, odds: float | None, flush: bool) -> None:
        """Report a trade at any odds, or at those that the offers leave."""
        name, kind = self._of(source, market)
        key = kind.keys[selection % len(kind.keys)]
        self.world.trade(name, kind, key, odds or self._likely_odds(name, kind, key))
        self._after(flush=flush)

    def _likely_odds(self, source: str, kind: MarketKind, key: str) -> float:
        held = self.world.said.sources[source].markets.get(kind.id)
        try:
            allowed = {} if held is None else intervals(held, Settings())
        except Refused:
            allowed = {}
        middle = (allowed[key].low + allowed[key].high) / 2 if key in allowed else 0.5
        return max(1.01, round(1 / max(middle, 0.001), 2))

    @rule(source=st.integers(0, 2), market=st.integers(0, 4))
    def say_nothing(self, source: int, market: int) -> None:
        """Send an update without content."""
        self.world.say_nothing(*self._of(source, market))
        self.flush()

    @rule(
        source=st.integers(0, 2),
        market=st.integers(0, 4),
        status=st.sampled_from(("open", "open", "suspended", "closed")),
        in_play=st.booleans(),
        flush=st.sampled_from((True, True, False)),
    )
    def change_status(self, source: int, market: int, status: str, in_play: bool, flush: bool) -> None:
        """Suspend, close or open a market at a source, or let it go in play."""
        name, kind = self._of(source, market)
        if (definition := self._copied(name, kind)) is not None:
            self.world.redefine(name, kind, replace(definition, status=status, in_play=in_play))
            self._after(flush=flush)

    @rule(
        source=st.integers(0, 2),
        market=st.integers(0, 4),
        selection=st.integers(0, 4),
        status=st.sampled_from(("active", "suspended", "removed", "winner", "loser", "dropped")),
        flush=st.sampled_from((True, True, False)),
    )
    def change_selection(self, source: int, market: int, selection: int, status: str, flush: bool) -> None:
        """Suspend, remove, decide or leave out a selection, or bring it back."""
        name, kind = self._of(source, market)
        if (definition := self._copied(name, kind)) is not None:
            key, line, _ = kind.selections[selection % len(kind.selections)]
            if status == "dropped":
                if len(definition.selections) > 1:
                    definition.selections.pop(key, None)
            else:
                definition.selections[key] = Selection(key, status, line)
            # In the order of the market, as a provider has them.
            definition.selections = {each: definition.selections[each] for each in kind.keys if each in definition.selections}
            self.world.redefine(name, kind, definition)
            self._after(flush=flush)

    @rule(source=st.integers(0, 2), market=st.integers(0, 4), selection=st.integers(0, 4), flush=st.booleans())
    def result(self, source: int, market: int, selection: int, flush: bool) -> None:
        """Close a market with a result."""
        name, kind = self._of(source, market)
        if (definition := self._copied(name, kind)) is not None:
            won = kind.keys[selection % len(kind.keys)]
            for key, each in definition.selections.items():
                each.status = "winner" if key == won else "loser"
            self.world.redefine(name, kind, replace(definition, status="closed"))
            self._after(flush=flush)

    @rule(source=st.integers(0, 2), market=st.integers(0, 4), minutes=st.sampled_from((None, -1, 5, 11, 60)))
    def move_start(self, source: int, market: int, minutes: int | None) -> None:
        """Set the start of one market."""
        name, kind = self._of(source, market)
        if (definition := self._copied(name, kind)) is not None:
            definition.start_ms = None if minutes is None else self.world.now_ms + minutes * _MINUTE_MS
            self.world.redefine(name, kind, definition)
            self.flush()

    def _copied(self, source: str, kind: MarketKind) -> Market | None:
        """Return a market as a source has it, to be changed; None if it has none."""
        held = self.world.said.sources[source].markets.get(kind.id)
        return None if held is None else replace(held, selections=deepcopy(held.selections))

    @rule(source=st.integers(0, 2), market=st.integers(0, 4), flush=st.booleans())
    def withdraw(self, source: int, market: int, flush: bool) -> None:
        """Take a market away."""
        self.world.withdraw(*self._of(source, market))
        self._after(flush=flush)

    @rule(source=st.integers(0, 2), health=st.sampled_from(("live", "live", "live", "lagging", "stale", "down")))
    def change_health(self, source: int, health: str) -> None:
        """Set a source's health."""
        self.world.set_health(self.names[source % len(self.names)], health)
        self.flush()

    @rule(
        source=st.integers(0, 2),
        market=st.integers(0, 4),
        in_play=st.sampled_from((False, False, True)),
        score=st.sampled_from((None, "0-0", "1-0")),
        minutes=st.sampled_from((None, 5, 11, 60)),
    )
    def describe(self, source: int, market: int, in_play: bool, score: str | None, minutes: int | None) -> None:
        """Describe the event otherwise."""
        name, kind = self._of(source, market)
        start_ms = None if minutes is None else self.world.now_ms + minutes * _MINUTE_MS
        self.world.describe(name, kind, Event(in_play, score, start_ms))
        self.flush()

    @rule(seconds=st.sampled_from((0.001, 1, 15, 25, 61, 300)))
    def wait(self, seconds: float) -> None:
        """Advance the clock: sources fall silent."""
        self.world.now_ms += round(seconds * 1000)
        self.flush()
