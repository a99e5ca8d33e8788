"""Play stories through a pipeline and through two others that keep less from one flush to the next, and compare what they offer.

`plain` skips nothing: it forgets before each flush which markets may be skipped and what their books were, and has to publish the
same bytes. `rebuilt` prices everything again in each flush, with a new pricer, and has to have the same on offer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import (
    BookChange,
    EventUpdate,
    MarketGone,
    MarketUpdate,
    SourceStatus,
    UpdateBatch,
)
from oddsengine.domain.ids import EventId
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.sourcing.matching.matcher import feed_of
from tests.support.builders import a_command
from tests.support.laws.forgetting import on_offer, rebuild, skip_nothing
from tests.support.laws.kept_markets import definition_of, id_at, quotes, whole_of, with_statuses
from tests.support.laws.kept_stories import KINDS, SETTINGS
from tests.support.laws.verdicts import UNLIMITED, MainLineWatch, beaten, in_doubt, is_waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.domain.feed_updates import MarketDefinition
    from tests.support.laws.kept_stories import Step

_START_MS = 1_700_000_000_000
_MINUTE_MS = 60_000
_Place = tuple[str, str, str]


class _Slice:
    """A time slice of a number of steps."""

    whole_up_to = 0

    def __init__(self, steps: int) -> None:
        self._steps = self._left = steps

    def begin(self, sharers: int) -> None:
        del sharers
        self._left = self._steps

    def has_time(self) -> bool:
        self._left -= 1
        return self._left > 0


class KeptDecisions:
    """The three pipelines, and what the sources have said last.

    Args:
        setting: the name of the story's setting.
    """

    def __init__(self, setting: str) -> None:
        self._setting = of = SETTINGS[setting]
        self._profiles = 0
        self._now_ms = _START_MS
        self.pipelines = [Pipeline(self._pricer(), of.sources, of.shards, of.rules[0]) for _ in range(2 if of.remembers else 3)]
        self.kept, self._plain, *self._rebuilt = self.pipelines
        self._definitions: dict[_Place, MarketDefinition] = {}
        self._shared: dict[_Place, MarketDefinition] = {}
        self._offers: dict[tuple[str, ...], tuple[float, float]] = {}
        self._commands: dict[int, Any] = {}
        self._main_lines = [MainLineWatch() for _ in range(of.shards)]
        for source in of.sources:
            self._begin(source)
        self._flush()

    def tell(self, steps: Iterable[Step]) -> None:
        """Take steps; assert after each flush that the pipelines offer the same."""
        for what, *of in [*steps, ("flush",)]:
            getattr(self, "_" + what.replace(" ", "_"))(*of)
        assert not self.kept.is_dirty, "whole flushes settle"
        if self._setting.solves_per_s:
            self._decide_all()

    def _decide_all(self) -> None:
        """Run the guard across markets until nothing waits for it."""
        for _ in range(20):
            if not is_waiting(self.kept):
                return
            self._wait(10_000)
            self._flush()
        raise AssertionError("what waits is decided at last")

    def _pricer(self, solves_per_s: float | None = None) -> Pricer:
        solves_per_s = self._setting.solves_per_s if solves_per_s is None else solves_per_s
        return Pricer(self._setting.profiles[self._profiles], solves_per_s=solves_per_s)

    def _begin(self, source: str) -> None:
        self._health(source, "live")
        for number in range(self._setting.events):
            event = f"e{number}"
            self._event(source, event, False, None, 120, "cup")
            for kind in self._setting.kinds:
                self._image(source, event, kind, tuple(KINDS[kind].fair.values()), 0.08)

    def _receive(self, source: str, *updates: Any) -> None:
        for pipeline in self.pipelines:
            pipeline.receive(UpdateBatch(source, self._now_ms, list(updates)), self._now_ms)

    # -- books

    def _move(self, source: str, event: str, kind: str, fair: tuple[float, ...], spread: float) -> None:
        place = source, event, kind
        books = [self._change(place, *each, spread) for each in zip(KINDS[kind].fair, fair, strict=True)]
        self._receive(source, MarketUpdate(id_at(*place), books=books))

    def _image(self, source: str, event: str, kind: str, fair: tuple[float, ...], spread: float) -> None:
        place = source, event, kind
        for key in KINDS[kind].fair:
            self._offers.pop((*place, key), None)
        books = [self._change(place, *each, spread) for each in zip(KINDS[kind].fair, fair, strict=True)]
        self._receive(source, MarketUpdate(id_at(*place), True, self._definition(place), books))

    def _partial(self, source: str, event: str, kind: str, keys: tuple[str, ...]) -> None:
        """Send an image in which only some selections have anything, and the others have books without content."""
        place = source, event, kind
        held = self.kept.books[source].markets.get(id_at(*place)) if source in self.kept.books else None
        books = [
            whole_of(f"s-{key}", held.books[f"s-{key}"])
            if key in keys and held and f"s-{key}" in held.books
            else BookChange(f"s-{key}")
            for key in KINDS[kind].fair
        ]
        for key in KINDS[kind].fair:
            if key not in keys:
                self._offers.pop((*place, key), None)
        self._receive(source, MarketUpdate(id_at(*place), True, self._definition(place), books))

    def _bare(self, source: str, event: str, kind: str) -> None:
        """Send an image without a definition, in which no selection has anything."""
        self._receive(
            source, MarketUpdate(id_at(source, event, kind), True, books=[BookChange(f"s-{key}") for key in KINDS[kind].fair])
        )
        for key in KINDS[kind].fair:
            self._offers.pop((source, event, kind, key), None)

    def _one(self, source: str, event: str, kind: str, key: str, fair: float, spread: float, size: float = 100.0) -> None:
        place = source, event, kind
        self._receive(source, MarketUpdate(id_at(*place), books=[self._change(place, key, fair, spread, size)]))

    def _thin(self, source: str, event: str, kind: str, key: str, fair: float, spread: float) -> None:
        self._one(source, event, kind, key, fair, spread, 1.0)

    def _deep(self, source: str, event: str, kind: str, key: str, share: float, size: float) -> None:
        back, lay = self._offers.get((source, event, kind, key), (1.5, 3.0))
        rows = BookChange(f"s-{key}", back=[(round(back * share, 2), size)], lay=[(round(lay / share, 2), size)])
        self._receive(source, MarketUpdate(id_at(source, event, kind), books=[] if quotes(source) else [rows]))

    def _touch(self, source: str, event: str, kind: str, key: str) -> None:
        self._receive(source, MarketUpdate(id_at(source, event, kind), books=[BookChange(f"s-{key}")]))

    def _empty(self, source: str, event: str, kind: str, key: str) -> None:
        back, lay = self._offers.pop((source, event, kind, key), (1.5, 3.0))
        none = BookChange(f"s-{key}", back=[(back, 0.0)], lay=[(lay, 0.0)])
        change = BookChange(f"s-{key}", quote=0.0) if quotes(source) else none
        self._receive(source, MarketUpdate(id_at(source, event, kind), books=[change]))

    def _trade(self, source: str, event: str, kind: str, key: str, fair: float) -> None:
        # One in the millisecond in which the market was opened does not count.
        self._wait(1)
        change = BookChange(f"s-{key}") if quotes(source) else BookChange(f"s-{key}", last=round(1 / fair, 2))
        self._receive(source, MarketUpdate(id_at(source, event, kind), books=[change]))

    def _change(self, place: _Place, key: str, fair: float, spread: float, size: float = 100.0) -> BookChange:
        """Return the change of a selection's best offers from the last ones."""
        odds = 1 / fair
        if quotes(place[0]):
            return BookChange(f"s-{key}", quote=round(odds / 1.05, 2))
        now = round(odds * (1 - spread), 3), round(odds * (1 + spread), 3)
        before = self._offers.get((*place, key))
        self._offers[(*place, key)] = now
        rows = [now] if before is None or before == now else [before, now]
        back, lay = ([(row[side], size if row is now else 0.0) for row in rows] for side in (0, 1))
        return BookChange(f"s-{key}", back=back, lay=lay)

    # -- definitions

    def _definition(self, place: _Place) -> MarketDefinition:
        if place not in self._definitions:
            # Bookmakers of one feed may have one definition between them.
            shared = feed_of(place[0]), *place[1:]
            self._definitions[place] = self._shared.setdefault(shared, definition_of(*place))
        return self._definitions[place]

    def _redefine(self, place: _Place, **fields: Any) -> None:
        definition = self._definitions[place] = msgspec.structs.replace(self._definition(place), **fields)
        self._receive(place[0], MarketUpdate(id_at(*place), definition=definition))

    def _status(self, source: str, event: str, kind: str, status: str) -> None:
        self._redefine((source, event, kind), status=status)

    def _selection(self, source: str, event: str, kind: str, key: str, status: str) -> None:
        self._redefine((source, event, kind), selections=with_statuses(self._definition((source, event, kind)), {key: status}))

    def _rename(self, source: str, event: str, kind: str, name: str) -> None:
        self._redefine((source, event, kind), name=name)

    def _reorder(self, source: str, event: str, kind: str) -> None:
        self._redefine((source, event, kind), selections=self._definition((source, event, kind)).selections[::-1])

    def _in_play(self, source: str, event: str, kind: str, is_in_play: bool) -> None:
        self._redefine((source, event, kind), in_play=is_in_play)

    def _starts(self, source: str, event: str, kind: str, minutes: int | None) -> None:
        self._redefine((source, event, kind), start_ms=None if minutes is None else self._now_ms + minutes * _MINUTE_MS)

    def _terms(self, source: str, event: str, kind: str, limit: float | None) -> None:
        self._redefine((source, event, kind), limit=limit)

    def _result(self, source: str, event: str, kind: str, winner: str) -> None:
        statuses = {key: "winner" if key == winner else "loser" for key in KINDS[kind].fair}
        selections = with_statuses(self._definition((source, event, kind)), statuses)
        self._redefine((source, event, kind), status="closed", selections=selections)

    def _reset(self, source: str, event: str, kind: str) -> None:
        self._redefine(
            (source, event, kind), status="open", in_play=False, selections=definition_of(source, event, kind).selections
        )

    def _gone(self, source: str, event: str, kind: str) -> None:
        self._receive(source, MarketGone(id_at(source, event, kind)))
        for key in KINDS[kind].fair:
            self._offers.pop((source, event, kind, key), None)

    def _gone_other(self, source: str, event: str, kind: str) -> None:
        self._receive(source, MarketGone(id_at(source, event, kind) + "'"))

    def _other_id(self, source: str, event: str, kind: str) -> None:
        self._receive(source, MarketUpdate(id_at(source, event, kind) + "'", definition=self._definition((source, event, kind))))

    def _back(self, source: str, event: str, kind: str, fair: tuple[float, ...], spread: float) -> None:
        self._gone(source, event, kind)
        self._image(source, event, kind, fair, spread)

    def _repeat(self, source: str, event: str, kind: str) -> None:
        """Send an image of what is known."""
        held = self.kept.books[source].markets.get(id_at(source, event, kind)) if source in self.kept.books else None
        books = [] if held is None else [whole_of(key, book) for key, book in held.books.items()]
        self._receive(source, MarketUpdate(id_at(source, event, kind), True, self._definition((source, event, kind)), books))

    def _again(self, source: str, event: str, kind: str) -> None:
        """Withdraw a market, and offer it as it was."""
        held = self.kept.books[source].markets.get(id_at(source, event, kind)) if source in self.kept.books else None
        books = [] if held is None else [whole_of(key, book) for key, book in held.books.items()]
        self._receive(source, MarketGone(id_at(source, event, kind)))
        self._receive(source, MarketUpdate(id_at(source, event, kind), True, self._definition((source, event, kind)), books))

    # -- the world

    def _health(self, source: str, health: Any) -> None:
        self._receive(source, SourceStatus(health, "test"))

    def _event(self, source: str, event: str, in_play: bool, score: str | None, minutes: int | None, competition: str) -> None:
        described = Event(
            id=EventId(f"{feed_of(source)}.{event}"),
            sport="football",
            competition=Competition(competition, competition.title()),
            name=event,
            participants=(f"Alpha{event} United", f"Beta{event} City"),
            start_ms=None if minutes is None else _START_MS + minutes * _MINUTE_MS,
            in_play=in_play,
            score=score,
        )
        self._receive(source, EventUpdate(described))

    def _wait(self, milliseconds: int) -> None:
        self._now_ms += milliseconds

    # -- people

    def _command(self, number: int, what: str, scope: str, event: str, kind: str, key: str, ends_s: int | None) -> None:
        event = f"{feed_of(self._setting.sources[0])}.{event}"
        market = f"{event}/{kind}"
        is_of_one = what in {"price", "force", "shift"}
        scopes: Mapping[str, Any] = {"all": True, "event": event, "market": market, "selection": f"{market}/{key}"}
        named = "market" if is_of_one else scope
        if what in {"book_sum", "limit"} and named == "selection":
            named = "market"
        actions: Mapping[str, dict[str, Any]] = {
            "price": {"action": "price", "values": {key: 2.5}},
            "force": {"action": "price", "values": {key: 4.0}, "force": True},
            "shift": {"action": "shift", "values": {key: 0.1}},
            "book_sum": {"action": "book_sum", "values": 1.15},
            "limit": {"action": "limit", "values": 25.0},
            "suspend in gold": {"action": "suspend", "profiles": ("gold",)},
            "suspend in play": {"action": "suspend", "in_play": True},
            "suspend until kick-off": {"action": "suspend", "until_kick_off": True},
        }
        ends_ms = None if ends_s is None else self._now_ms + ends_s * 1000
        fields = {**actions.get(what, {"action": "suspend"}), named: scopes[named]}
        self._obey(number, a_command(key=f"c{number}", at_ms=self._now_ms, expires_ms=ends_ms, **fields))

    def _lift(self, number: int) -> None:
        if number in self._commands:
            command = self._commands[number]
            self._obey(number, msgspec.structs.replace(command, lifted_by="ann", lifted_ms=self._now_ms))

    def _obey(self, number: int, command: Any) -> None:
        self._commands[number] = command
        for pipeline in self.pipelines:
            pipeline.obey(command)

    # -- settings

    def _adopt(self, profiles: int) -> None:
        self._profiles = profiles
        for pipeline in self.pipelines:
            pipeline.adopt(self._pricer())

    def _rules(self, number: int) -> None:
        for pipeline in self.pipelines:
            pipeline.choose_by(self._setting.rules[number])

    def _sources(self, sources: tuple[str, ...]) -> None:
        new = [each for each in sources if each not in self.kept.books]
        for pipeline in self.pipelines:
            pipeline.use_sources(sources, self._now_ms)
        for source in new:
            self._begin(source)

    def _clock(self, step_ms: int) -> None:
        for pipeline in self.pipelines:
            pipeline.follow_clock(step_ms)

    def _release(self, shard: int) -> None:
        for pipeline in self.pipelines:
            pipeline.release(shard)

    def _retire(self, shard: int) -> None:
        self._flush()
        for pipeline in self.pipelines:
            pipeline.retire(shard, self._now_ms, 0)

    # -- flushes

    def _flush(self, steps: int | None = None) -> None:
        for pipeline in self.pipelines:
            pipeline.tick(self._now_ms)
        self._flush_both(steps)
        for pipeline in self._rebuilt:
            # With all the time that it takes to decide what could be beaten together.
            rebuild(pipeline, self._pricer(UNLIMITED if self._setting.solves_per_s else 0.0))
            for shard in range(self._setting.shards):
                self._flush_one(pipeline, shard, None)
            if not self.kept.is_dirty and not pipeline.is_dirty:
                self._compare(pipeline)

    def _flush_between(self) -> None:
        """Flush before anything was marked because time has passed."""
        self._flush_both(None)

    def _flush_both(self, steps: int | None) -> None:
        for shard in range(self._setting.shards):
            skip_nothing(self._plain)
            outcomes = [self._flush_one(pipeline, shard, steps) for pipeline in (self.kept, self._plain)]
            assert outcomes[0] == outcomes[1], f"what is skipped would have changed nothing: {outcomes}"
            problems = self._main_lines[shard].problems(self.kept.offers[shard], self._now_ms)
            assert not problems, f"the main lines are those nearest to even: {problems}"

    def _compare(self, rebuilt: Pipeline) -> None:
        kept, doubtful = self.kept, in_doubt(self.kept, rebuilt)
        for here, there in zip(kept.offers, rebuilt.offers, strict=True):
            found = on_offer(here, there, doubtful)
            assert not found, f"what is kept is what there would be without: {found}"
        if doubtful and not is_waiting(kept):
            assert in_doubt(kept), f"what could be beaten together is refused: {doubtful}"
            assert in_doubt(rebuilt), f"what could not be beaten together is open: {doubtful}"
        if kept.pricer.scores is not None:
            assert not beaten(kept), "what is open can't be beaten together"

    def _flush_one(self, pipeline: Pipeline, shard: int, steps: int | None) -> Any:
        is_done = pipeline.flush(shard, self._now_ms, None if steps is None else _Slice(steps))
        batch = pipeline.offers[shard].commit(self._now_ms)
        return is_done, pipeline.is_dirty, msgspec.to_builtins(batch)
