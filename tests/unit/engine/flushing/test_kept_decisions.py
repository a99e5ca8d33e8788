"""Law: whatever a pipeline keeps from one flush to the next changes nothing of what it offers.

The examples are faults that were found: a price that stayed although what it followed from had changed, or a market that stayed
suspended for the sake of one that was not offered any more.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.common import speedups
from tests.support.laws.examples import examples
from tests.support.laws.kept_decisions import KeptDecisions
from tests.support.laws.kept_stories import a_story

if TYPE_CHECKING:
    from tests.support.laws.kept_stories import Step

_LOOPS = ("books", "pricing", "solvers")
_stories = st.integers(0, 2**32).map(lambda seed: a_story(Random(seed)))
_LINE, _NEXT_LINE = ("a.x", "e0", "total/ft/1.5"), ("a.x", "e0", "total/ft/2.5")
_LAST_LINE = ("a.x", "e0", "total/ft/3.5")
#: forces a price that a bettor could combine with those of the next lines
_BEATEN = ("command", 0, "force", "market", "e0", "total/ft/1.5", "over", None)


def _scored(*, is_in_play: bool) -> Step:
    return "event", "a.x", "e0", is_in_play, "1-0", 120, "cup"


_FAULTS: list[tuple[str, list[Step]]] = [
    # A cut flush suspends one of two lines that were pooled.
    ("lines", [("move", *_LINE, (0.48, 0.52), 0.08), ("flush",), ("status", *_LINE, "suspended"), ("flush", 9)]),
    # A member's market is withdrawn and comes back as it was, to move as often as before.
    (
        "pair",
        [("one", *_LINE, "over", 0.52, 0.08), ("flush",), ("again", *_LINE), ("one", *_LINE, "over", 0.55, 0.08)],
    ),
    # Pooled lines grow old, and one of them is back alone.
    (
        "rules",
        [("move", *_LINE, (0.48, 0.52), 0.08), ("flush",), ("wait", 21_000), ("flush",), ("touch", *_LINE, "over")],
    ),
    # A pooled line loses a side, then the others, and is complete again.
    (
        "lines",
        [
            *(("move", *_LINE, (0.48, 0.52), 0.08), ("flush",), ("empty", *_LINE, "under"), ("flush",)),
            *(("gone", *_NEXT_LINE), ("gone", *_LAST_LINE), ("flush",), ("one", *_LINE, "under", 0.52, 0.08)),
        ],
    ),
    # Of lines that can be beaten together, one contradicts itself, or is too old.
    (
        "lines",
        [
            *(_BEATEN, ("flush",), ("one", *_LINE, "over", 0.9, 0.01), ("flush",)),
            ("move", *_NEXT_LINE, (0.54, 0.46), 0.08),
        ],
    ),
    ("rules", [("wait", 15_000), ("touch", *_NEXT_LINE, "over"), _BEATEN, ("flush",), ("wait", 6000)]),
    # An admin forces a price that could be combined with that of another line.
    ("lines", [_BEATEN]),
    # Of three lines, two contradict the third, which is decided.
    (
        "lines",
        [
            *(("image", *_LINE, (0.54, 0.46), 0.01), ("image", *_NEXT_LINE, (0.5, 0.5), 0.01)),
            *(("image", *_LAST_LINE, (0.46, 0.54), 0.01), ("flush",), ("adopt", 2)),
            *(("image", *_LAST_LINE, (0.59, 0.41), 0.08), ("flush", 5)),
            ("selection", *_LAST_LINE, "under", "winner"),
        ],
    ),
    # What is known to have begun comes into play: a command is for that, or ends with it.
    *(
        (
            "rules",
            [
                *(_scored(is_in_play=False), ("command", 0, command, "market", "e0", "match_odds", "home", None)),
                *(("flush",), _scored(is_in_play=True)),
            ],
        )
        for command in ("suspend in play", "suspend until kick-off")
    ),
    # Another source is preferred, and describes the events.
    ("fallback", [("event", "a.y", "e0", False, "1-0", 120, "cup"), ("flush",), ("sources", ("a.y", "a.x"))]),
    # Another source prices a market that both define alike.
    ("fallback", [("gone", "a.x", "e0", "match_odds")]),
    # A result is published, or taken back, by a flush just before the market is withdrawn.
    ("lines", [("selection", *_LINE, "over", "loser"), ("flush between",), ("gone", *_LINE)]),
    ("lines", [("result", *_LINE, "over"), ("flush",), ("reset", *_LINE), ("flush between",), ("gone", *_LINE)]),
    # Terms are published by a flush just before another source prices the market without any.
    ("fallback", [("terms", "a.x", "e0", "match_odds", 20.0), ("flush between",), ("sources", ("a.y", "a.x"))]),
    # A market is published once more by a flush just before it is withdrawn.
    ("few solves", [("release", 0), ("flush between",), ("gone", *_LINE)]),
    # What waits for the budget is withdrawn.
    (
        "few solves",
        [
            ("image", "a.x", "e0", "both_to_score", (0.62, 0.38), 0.08),
            ("flush", 2),
            ("other id", "a.x", "e0", "both_to_score"),
        ],
    ),
    # What could be beaten has waited for the budget to decide it.
    (
        "few solves",
        [
            *(("wait", 10_000), ("image", *_NEXT_LINE, (0.2, 0.8), 0.01), ("flush",)),
            ("image", *_NEXT_LINE, (0.35, 0.65), 0.01),
        ],
    ),
]
_BOTH, _HANDICAP = ("a.x", "e0", "both_to_score"), ("a.x", "e0", "asian_handicap/ft/-0.5")
#: Both to score, so likely, beats what the other markets of the event make of the score.
_TOO_LIKELY: Step = ("move", *_BOTH, (0.8, 0.2), 0.01)


_SCORED = ("match_odds", "total/ft/1.5", "both_to_score", "asian_handicap/ft/-0.5")
#: Single prices, of markets that are in play.
_PLAYED: list[Step] = [("adopt", 1), *[("in play", "a.x", "e0", kind, True) for kind in _SCORED]]


#: A side has no price but that of its last trade.
_TRADED: list[Step] = [("empty", *_LINE, "over"), ("trade", *_LINE, "over", 0.5)]


def _at(score: str) -> Step:
    return "event", "a.x", "e0", True, score, 120, "cup"


#: What random stories rarely come to.
_RARE: list[tuple[str, list[Step]]] = [
    # Markets can be beaten together until one of them leaves, or moves back, and again once it is back.
    (
        "scores",
        [
            ("adopt", 1),
            ("flush",),
            _TOO_LIKELY,
            ("flush",),
            ("status", *_BOTH, "suspended"),
            ("flush",),
            ("status", *_BOTH, "open"),
        ],
    ),
    ("scores", [("adopt", 1), ("flush",), _TOO_LIKELY, ("flush",), ("move", *_BOTH, (0.52, 0.48), 0.01)]),
    # A market moves while there is no other one to compare it with.
    (
        "scores",
        [
            *(("adopt", 1), ("flush",), ("status", "a.x", "e0", "match_odds", "suspended"), ("status", *_LINE, "suspended")),
            *(("status", *_HANDICAP, "suspended"), ("flush",), _TOO_LIKELY, ("flush",), ("status", *_LINE, "open")),
        ],
    ),
    # A market joins the others when it could beat them.
    ("scores", [("adopt", 1), ("status", *_BOTH, "suspended"), ("flush",), _TOO_LIKELY, ("status", *_BOTH, "open")]),
    # Lines can be beaten together until one of them moves, which only one of them has found.
    ("handicaps", [("move", "a.x", "e1", _HANDICAP[2], (0.48, 0.52), 0.08)]),
    # A market is withdrawn before it is published again.
    ("handicaps", [("release", 0), ("flush", 1), ("gone", "a.x", "e1", _HANDICAP[2])]),
    # One of three sources that agree is too old, and the others are not.
    (
        "consensus",
        [
            *(("move", *_LINE, (0.53, 0.47), 0.01), ("move", "a.z", *_LINE[1:], (0.49, 0.51), 0.01), ("wait", 15_000)),
            *(("touch", "a.y", *_LINE[1:], "over"), ("touch", "a.z", *_LINE[1:], "over"), ("flush",), ("wait", 6000)),
        ],
    ),
    # Goals decide what was open, and are taken back.
    ("scores", [*_PLAYED, _at("0-0"), ("flush",), _at("1-1"), ("flush",), _at("0-0"), ("flush",), _at("1-1")]),
    # A handicap counts from the score in play.
    ("scores", [*_PLAYED, _at("1-0"), ("flush",), ("in play", *_HANDICAP, False), ("flush",), ("in play", *_HANDICAP, True)]),
    (
        "scores",
        [*_PLAYED, _at("0-0"), ("flush",), ("status", *_BOTH, "suspended"), ("flush",), _at("2-1"), ("flush",), _at("0-0")],
    ),
    # A person forces a price that could be beaten: the others are not judged by it.
    (
        "scores",
        [
            ("adopt", 1),
            ("flush",),
            _TOO_LIKELY,
            ("flush",),
            ("command", 0, "force", "market", "e0", "both_to_score", "yes", None),
        ],
    ),
    # Other rules apply as the start comes nearer, by the time and by a clock that was wrong.
    ("rules", [("event", "a.x", "e0", False, None, 11, "cup"), ("flush",), ("wait", 61_000), ("flush",)]),
    (
        "rules",
        [
            ("event", "a.x", "e0", False, None, 11, "cup"),
            ("flush",),
            ("wait", 61_000),
            ("touch", *_LINE, "over"),
            ("flush between",),
        ],
    ),
    ("rules", [("event", "a.x", "e0", False, None, 11, "cup"), ("flush",), ("clock", 400_000), ("flush",)]),
    # What is commanded holds by other rules too.
    (
        "rules",
        [
            ("command", 0, "shift", "market", "e0", "match_odds", "home", None),
            ("flush",),
            ("event", "a.x", "e0", False, None, 120, "league"),
        ],
    ),
    # A market grows old, or a last trade does, and is updated before anything was marked because of that.
    ("rules", [("wait", 21_000), ("touch", *_NEXT_LINE, "over"), ("flush between",)]),
    (
        "trades",
        [
            ("empty", *_LINE, "over"),
            ("trade", *_LINE, "over", 0.5),
            ("flush",),
            ("wait", 21_000),
            ("touch", *_LINE, "over"),
            ("flush between",),
        ],
    ),
    # What is commanded ends by the time, before anything was marked because of that.
    (
        "rules",
        [
            *(("command", 0, "shift", "market", "e0", "match_odds", "home", 5), ("flush",), ("wait", 6000)),
            *(("touch", "a.x", "e0", "match_odds", "home"), ("flush between",)),
        ],
    ),
    # What is refused is priced again although nothing of it has moved.
    ("lines", [("move", *_NEXT_LINE, (0.48, 0.52), 0.01), ("flush",), ("event", "a.x", "e0", False, "0-0", 11, "cup")]),
    ("handicaps", [("event", "a.x", "e0", False, "0-0", 11, "cup")]),
    # Of lines that can be beaten together, one is suspended, and the other has a side without prices.
    (
        "handicaps",
        [
            ("status", "a.x", "e1", "total/ft/2.5", "suspended"),
            ("empty", "a.x", "e1", "total/ft/1.5", "under"),
        ],
    ),
    # A command is lifted while its market is not on offer here.
    (
        "rules",
        [
            ("command", 0, "shift", "market", "e0", "match_odds", "home", None),
            ("flush",),
            ("release", 0),
            ("lift", 0),
            ("flush",),
        ],
    ),
    # What flushes have put off waits beside what is put off later, and a whole flush has all of it.
    ("handicaps", [("release", 0), ("flush", 5), ("flush", 2), ("flush", 5)]),
    ("shards", [("rules", 0), ("flush", 9), ("status", "a.x", "e1", "match_odds", "closed"), ("flush", 2)]),
    # A side has no price for a while, and then the one of before.
    ("lines", [("thin", *_LINE, "under", 0.49, 0.01), ("flush",), ("move", *_LINE, (0.51, 0.49), 0.01)]),
    # A line is withdrawn with which another one was pooled.
    ("lines", [("move", *_NEXT_LINE, (0.6, 0.4), 0.01), ("flush",), ("gone", *_NEXT_LINE)]),
    # Several sources are combined by other rules.
    ("consensus", [("adopt", 1)]),
    # One source is left of those that are combined, and moves.
    (
        "consensus",
        [
            *(("rules", 1), ("gone", "a.y", *_LINE[1:]), ("gone", "a.z", *_LINE[1:]), ("flush",)),
            *(("move", *_LINE, (0.55, 0.45), 0.01), ("flush",), ("move", *_LINE, (0.47, 0.53), 0.01)),
        ],
    ),
    # A selection without a probability has other bounds, from which the other one's probability follows.
    (
        "last trades",
        [
            *(("one", *_LINE, "under", 0.5, 0.04), ("thin", *_LINE, "over", 0.5, 0.01), ("flush",)),
            ("thin", *_LINE, "over", 0.515, 0.01),
        ],
    ),
    # An image without a definition has as many books as before, all of them empty.
    ("lines", [("bare", *_LINE)]),
    # A last trade that only one profile uses grows old, marked because of that or not.
    ("last trades", [*_TRADED, ("flush",), ("wait", 21_000), ("flush",)]),
    ("last trades", [*_TRADED, ("flush",), ("wait", 21_000), ("touch", *_LINE, "over"), ("flush between",)]),
    # A profile needs a depth that a change deep in the book takes away.
    (
        "last trades",
        [
            *(("adopt", 1), ("deep", *_LINE, "over", 0.9, 50.0), ("deep", *_LINE, "under", 0.9, 50.0), ("flush",)),
            *(("deep", *_LINE, "over", 0.9, 0.0), ("flush",)),
        ],
    ),
    # A price has steps to go, and its market is updated deep in the book before anything was marked because of that.
    (
        "damped",
        [
            *(("image", *_LINE, (0.51, 0.49), 0.01), ("flush",), ("move", *_LINE, (0.57, 0.43), 0.01), ("flush",)),
            *(("touch", *_LINE, "over"), ("flush between",)),
        ],
    ),
]


@pytest.fixture(params=[True, False], ids=["in C", "in Python"])
def _either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        for name in _LOOPS:
            monkeypatch.setattr(speedups, name, None)


@examples(25)
@given(_stories)
def test_what_is_kept_changes_nothing(story: tuple[str, list[Step]]) -> None:
    setting, steps = story
    KeptDecisions(setting).tell(steps)


@examples(10)
@given(_stories)
def test_what_is_kept_changes_nothing_without_the_loops_in_c(story: tuple[str, list[Step]]) -> None:
    setting, steps = story
    with pytest.MonkeyPatch.context() as patch:
        for name in _LOOPS:
            patch.setattr(speedups, name, None)
        KeptDecisions(setting).tell(steps)


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize(("setting", "steps"), [*_FAULTS, *_RARE])
def test_what_was_kept_in_error(setting: str, steps: list[Step]) -> None:
    KeptDecisions(setting).tell(steps)
