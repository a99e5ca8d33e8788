"""Pairs of events that a matcher is likely to get wrong, by kind: namesakes, other teams of a club, players, colleges, esports.

A file has sections `# sport` and lines `label Home v Away ~ Home v Away [~ competition / competition] [~ +minutes]`. The labels:
`same`; `possible`: the same, but a person has to say so; `uncertain`: not the same, and never merged; `different`: never even
listed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from oddsengine.cli.match import match
from oddsengine.sourcing.matching.settings import MatchingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES: Final = sorted((Path(__file__).parent / "invented").glob("*.txt"))
DECISIONS: Final = {"same": {"same"}, "possible": {"doubt"}, "uncertain": {"doubt", "apart"}, "different": {"apart"}}


class Pair(NamedTuple):
    """Two events as two feeds name them, and what is to be decided of them."""

    label: str
    sport: str
    names: tuple[str, str]
    competitions: tuple[str, str]
    minutes_apart: float


def pairs_of(file: Path) -> Iterator[Pair]:
    """Yield the pairs of a file."""
    sport = ""
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("#"):
            sport = line.removeprefix("#").strip()
            continue
        label, _, rest = line.partition(" ")
        one, other, *details = (part.strip() for part in rest.split("~"))
        competitions, minutes = ("", ""), 0.0
        for detail in details:
            if detail.startswith("+"):
                minutes = float(detail)
            else:
                left, _, right = detail.partition("/")
                competitions = left.strip(), right.strip()
        yield Pair(label, sport, (one, other), competitions, minutes)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_invented_pair_is_decided_wrongly(file: Path) -> None:
    settings = MatchingSettings()
    wrong = []
    for pair in pairs_of(file):
        for names, competitions in ((pair.names, pair.competitions), (pair.names[::-1], pair.competitions[::-1])):
            answer = match(names, pair.sport, pair.minutes_apart, competitions, settings)
            if answer["decision"] not in DECISIONS[pair.label]:
                wrong.append((pair, answer))
    assert [] == wrong
