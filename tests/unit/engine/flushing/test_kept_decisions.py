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
    # What could be beaten has waited for the budget to decide it.
    (
        "few solves",
        [
            *(("wait", 10_000), ("image", *_NEXT_LINE, (0.2, 0.8), 0.01), ("flush",)),
            ("image", *_NEXT_LINE, (0.35, 0.65), 0.01),
        ],
    ),
]
#: What random stories rarely come to.
_RARE: list[tuple[str, list[Step]]] = [
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
