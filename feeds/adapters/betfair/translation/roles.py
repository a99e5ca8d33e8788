"""Reads a runner's role from its name: `Home or Draw`, `Arsenal/Draw`, `Odd`, `No Goal`."""

from __future__ import annotations

from typing import Final

_WORDS: Final[dict[str, str]] = {
    "the draw": "draw",
    "draw": "draw",
    "home": "home",
    "away": "away",
    "yes": "yes",
    "no": "no",
    "odd": "odd",
    "even": "even",
    "no goal": "none",
    "no goals": "none",
    "none": "none",
    "1st half": "h1",
    "first half": "h1",
    "2nd half": "h2",
    "second half": "h2",
    "tie": "tie",
    "equal": "tie",
}
#: Of two outcomes that win both, either order.
_EITHER: Final[dict[frozenset[str], str]] = {
    frozenset({"home", "draw"}): "home_draw",
    frozenset({"home", "away"}): "home_away",
    frozenset({"draw", "away"}): "draw_away",
}


def role_of(name: str | None, sides: tuple[str, ...]) -> str:
    """Return the role of a runner. Empty if its name has none.

    Args:
        name: the runner's name.
        sides: the names of the home and the away side.
    """
    words = _WORDS | dict(zip((side.lower() for side in sides), ("home", "away"), strict=False))
    text = (name or "").strip().lower()
    if text in words:
        return words[text]
    if text.startswith(("under ", "over ")):
        return text.partition(" ")[0]
    first, divider, second = text.partition("/")
    if divider:
        parts = [words.get(first.strip(), ""), words.get(second.strip(), "")]
        return "_".join(parts) if all(parts) else ""
    first, divider, second = text.partition(" or ")
    return _EITHER.get(frozenset({words.get(first.strip(), ""), words.get(second.strip(), "")}), "") if divider else ""
