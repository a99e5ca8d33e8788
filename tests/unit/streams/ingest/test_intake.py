"""What an engine takes from an ingest stream, whatever of it is lost: it never trusts a state that is not the feeder's."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange, MarketGone, MarketUpdate, SourceStatus, UpdateBatch
from oddsengine.sourcing.images import event_images, market_images
from oddsengine.sourcing.source_book import SourceBook
from oddsengine.streams.ingest.entries import IngestEntry, decode_entry, encode_entry
from oddsengine.streams.ingest.intake import FeedIntake
from oddsengine.streams.ingest.reader import silence_limit_s
from oddsengine.streams.positions import Position
from tests.support.builders import a_definition

SOURCE = "src"


class Stream:
    """A feeder that writes entries, and an engine that reads those that are not lost."""

    def __init__(self) -> None:
        self.fed = SourceBook(SOURCE)
        self.book = SourceBook(SOURCE)
        self.intake = FeedIntake([SOURCE], lambda _: list(self.book.markets))
        self.at = Position(1, 0)
        self.wanted = 0

    def write(self, entry: IngestEntry, *, is_lost: bool = False, late_s: float = 0.0) -> None:
        self.at = Position(self.at.epoch, self.at.seq + 1)
        if not is_lost:
            self.read(entry, late_s)

    def read(self, entry: IngestEntry, late_s: float = 0.0) -> None:
        for aged in self.intake.read(self.at, decode_entry(encode_entry(entry)), late_s):
            self.apply(aged.batch)
        if self.intake.must_ask:
            self.wanted += 1
            self.intake.expect(self.wanted)

    def apply(self, batch: UpdateBatch) -> None:
        for update in batch.updates:
            self.book.apply(update, 0)

    def change(self, *updates: Any, is_lost: bool = False) -> None:
        for update in updates:
            self.fed.apply(update, 0)
        self.write(IngestEntry([UpdateBatch(SOURCE, 0, list(updates))]), is_lost=is_lost)

    def snapshot(self, number: int, *, is_cut: bool = False) -> None:
        self.write(IngestEntry([event_images(self.fed).batch], number, is_first=True))
        for _, batch in market_images(self.fed, list(self.fed.markets), 0):
            self.write(IngestEntry([batch], number, ages_ms=[0]))
            if is_cut:
                return
        status = SourceStatus(self.fed.health, self.fed.health_reason)
        self.write(IngestEntry([UpdateBatch(SOURCE, 0, [status])], number, is_last=True))

    def new_term(self, *, continues: bool) -> None:
        self.at = Position(self.at.epoch + 1, 0)
        self.read(IngestEntry(continues=continues))

    def quotes(self, book: SourceBook) -> dict[str, dict[str, float | None]]:
        return {key: {name: each.quote for name, each in market.books.items()} for key, market in book.markets.items()}

    def check(self) -> None:
        """Check that a live book is the feeder's."""
        if self.intake.is_current:
            assert self.fed.health == self.book.health
            assert self.quotes(self.fed) == self.quotes(self.book)
        elif not self.intake.is_moving:
            assert "live" != self.book.health


def quoted(market: str, odds: float) -> list[Any]:
    return [MarketUpdate(market, definition=a_definition(f"e{market}/match_odds"), books=[BookChange("s-home", quote=odds)])]


_MARKETS = st.sampled_from(("1.1", "1.2", "1.3"))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), _MARKETS, st.integers(2, 9), st.booleans()),
        st.tuples(st.just("gone"), _MARKETS, st.booleans()),
        st.tuples(st.just("health"), st.sampled_from(("live", "live", "down"))),
        st.tuples(st.just("snapshot"), st.sampled_from((0, 1)), st.booleans()),
        st.tuples(st.just("term"), st.booleans()),
        st.tuples(st.just("silence")),
        st.tuples(st.just("expired move")),
        st.tuples(st.just("late"), st.sampled_from(("live", "down"))),
    ),
    max_size=40,
)


@given(STEPS)
def test_what_is_live_is_what_the_feeder_has(steps: list[tuple[Any, ...]]) -> None:
    stream = Stream()
    for step in steps:
        match step:
            case ("quote", market, odds, is_lost):
                stream.change(*quoted(market, odds), is_lost=is_lost)
            case ("gone", market, is_lost):
                stream.change(MarketGone(market), is_lost=is_lost)
            case ("health", health):
                stream.change(SourceStatus(health, "said"))
            case ("snapshot", behind, is_cut):
                stream.snapshot(max(1, stream.wanted - behind), is_cut=is_cut)
            case ("term", continues):
                stream.new_term(continues=continues)
            case ("silence",):
                for aged in stream.intake.lost("silent"):
                    stream.apply(aged.batch)
                assert "live" != stream.book.health
                continue
            case ("expired move",):
                for aged in stream.intake.expire_move():
                    stream.apply(aged.batch)
            case ("late", health):
                stream.fed.apply(SourceStatus(health, "said"), 0)
                said = UpdateBatch(SOURCE, 0, [SourceStatus(health, "said")])
                stream.write(IngestEntry([said]), late_s=3.0)
                assert "live" != stream.book.health
                continue
        # A lost entry is noticed with the next one.
        stream.write(IngestEntry())
        stream.check()
    stream.change(SourceStatus("live", "said"))
    stream.snapshot(stream.wanted)
    stream.check()
    assert stream.intake.is_current


def test_a_move_of_a_live_feed_keeps_it_live_until_the_snapshot() -> None:
    stream = Stream()
    stream.change(*quoted("1.1", 2.0), SourceStatus("live", "said"))
    stream.snapshot(stream.wanted)
    assert "live" == stream.book.health
    stream.new_term(continues=True)
    assert ("live", True) == (stream.book.health, stream.intake.is_moving)
    stream.fed.markets.pop("1.1")
    stream.snapshot(1)
    assert ("live", {}) == (stream.book.health, stream.book.markets)
    stream.new_term(continues=False)
    assert "down" == stream.book.health


def test_a_silent_feed_is_down_within_its_own_limit() -> None:
    """Where that is none, or longer than what a lost process takes to be noticed, after two seconds."""
    assert [2.0, 2.0, 1.5, 1.0] == [silence_limit_s(lag_limit_s) for lag_limit_s in (0.0, 5.0, 1.5, 0.2)]


def followed() -> Stream:
    """Return a stream of a live feed of which everything is known."""
    stream = Stream()
    stream.change(*quoted("1.1", 2.0), SourceStatus("live", "said"))
    stream.snapshot(stream.wanted)
    assert "live" == stream.book.health
    return stream


def is_trusted(stream: Stream) -> bool:
    return stream.intake.is_current or stream.intake.is_moving or stream.book.health == "live"


def test_a_feed_that_was_not_known_is_not_known_after_it_has_moved() -> None:
    stream = Stream()
    stream.change(*quoted("1.1", 2.0), SourceStatus("live", "said"))
    stream.new_term(continues=True)
    assert not is_trusted(stream)


def test_a_term_of_the_past_is_no_move() -> None:
    stream = followed()
    stream.at = Position(stream.at.epoch - 1, 0)
    stream.read(IngestEntry(continues=True))
    assert not is_trusted(stream)


def test_a_snapshot_of_which_a_part_was_missed_is_none() -> None:
    stream = followed()
    stream.new_term(continues=False)
    stream.snapshot(1, is_cut=True)
    stream.change(*quoted("1.2", 3.0), is_lost=True)
    stream.write(IngestEntry([UpdateBatch(SOURCE, 0, [SourceStatus("live", "said")])], 1, is_last=True))
    assert not is_trusted(stream)


def test_a_snapshot_that_was_asked_for_before_something_was_missed_is_none() -> None:
    stream = followed()
    stream.change(*quoted("1.1", 3.0), is_lost=True)
    stream.write(IngestEntry())
    stream.snapshot(stream.wanted - 1)
    assert not is_trusted(stream)
    stream.snapshot(stream.wanted)
    assert stream.intake.is_current
