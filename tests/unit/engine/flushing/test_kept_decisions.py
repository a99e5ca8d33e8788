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

from tests.support.laws.examples import examples
from tests.support.laws.kept_decisions import KeptDecisions
from tests.support.laws.kept_stories import a_story

if TYPE_CHECKING:
    from tests.support.laws.kept_stories import Step

_stories = st.integers(0, 2**32).map(lambda seed: a_story(Random(seed)))
_LINE, _NEXT_LINE = ("a.x", "e0", "total/ft/1.5"), ("a.x", "e0", "total/ft/2.5")
_LAST_LINE = ("a.x", "e0", "total/ft/3.5")
#: forces a price that a bettor could combine with those of the next lines
_BEATEN = ("command", 0, "force", "market", "e0", "total/ft/1.5", "over", None)
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
]


@examples(25)
@given(_stories)
def test_what_is_kept_changes_nothing(story: tuple[str, list[Step]]) -> None:
    setting, steps = story
    KeptDecisions(setting).tell(steps)


@pytest.mark.parametrize(("setting", "steps"), _FAULTS)
def test_what_was_kept_in_error(setting: str, steps: list[Step]) -> None:
    KeptDecisions(setting).tell(steps)
