"""Operators are told that engines of one installation are configured differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from feeds.feed import installed_feeds
from oddsengine.engine.ownership.config_watch import ConfigWatch
from oddsengine.runtime.engine import rules_digest
from oddsengine.runtime.settings import parse_settings
from oddsengine.streams.leases.state import LeaseState
from tests.support.streams.lease_table import MemoryTable

if TYPE_CHECKING:
    from collections.abc import Iterable

RULES = """
[profiles.default]
book_sum = {book_sum}
ladder = "own"
shift = {{home = 0.02, away = 0.01}}
[[profiles.default.rules]]
sport = ["football", "tennis"]
ladder = "decimal_2"
[ladders.own]
increments = [[1.01, 0.01], [10, 0]]
[tiers]
top = ["cup", "league"]
[feeds.sim]
adapter = "simulator"
"""


def digest(text: str = RULES.format(book_sum=1.05), file: str = "odds.toml") -> str:
    adapters = {name: feed.config_type for name, feed in installed_feeds().items()}
    return rules_digest(parse_settings(text, file, adapters))


def lines(differing: Iterable[tuple[float, list[str]]]) -> list[str]:
    """Return what is logged of the engines that differ at some times."""
    now_s = 0.0
    watch = ConfigWatch(lambda: now_s)
    with capture_logs() as logs:
        for at_s, others in differing:
            now_s = at_s
            watch.note(others)
    return [line["event"] for line in logs]


def test_engines_that_price_by_other_rules_know_it_of_each_other() -> None:
    table, states = MemoryTable(), [LeaseState(name, "0", 2.0) for name in "abc"]
    for state, config in zip(states, ("one", "two", ""), strict=True):
        state.config = config
    for now_s in (0.0, 0.1):
        for state in states:
            value = state.value(now_s, 0, is_leaving=False)
            state.observe(now_s, now_s, value, table.write(state.me, value, []))
    assert [["b"], ["a"]] == [state.configured_otherwise(0.1) for state in states[:2]], "one of an earlier release does not say"
    states[1].config = "one"
    value = states[1].value(0.2, 0, is_leaving=False)
    states[0].observe(0.2, 0.2, b"", table.write("b", value, []))
    assert [] == states[0].configured_otherwise(0.2)


def test_it_is_logged_once_it_lasts_and_once_it_ends() -> None:
    assert [] == lines([(0.0, ["b"]), (14.0, ["b"]), (14.5, [])]), "a file is replaced on one machine after the other"
    told, ended = "engines are configured differently", "engines are configured alike again"
    assert [told, told, ended] == lines([(0.0, ["b"]), (16.0, ["b"]), (17.0, ["b"]), (77.0, ["b"]), (78.0, []), (79.0, [])])


def test_what_identifies_rules_is_the_same_wherever_they_are_read_and_changes_with_them() -> None:
    same = "# the same\n" + RULES.format(book_sum=1.05) + "[engine]\nport = 1\nlease_s = 5\n[log]\nlevel = 'debug'\n"
    assert digest() == digest(same, "other.toml")
    others = [
        RULES.format(book_sum=1.06),
        RULES.format(book_sum=1.05).replace("[10, 0]", "[20, 0]"),
        RULES.format(book_sum=1.05).replace("top =", "best ="),
        RULES.format(book_sum=1.05) + '[feeds.other]\nadapter = "simulator"\n',
        RULES.format(book_sum=1.05) + "[engine]\ncross_market_guard = false\n",
    ]
    assert len(others) + 1 == len({digest(), *map(digest, others)})
