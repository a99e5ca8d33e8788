"""The documents name functions and tests that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
ARCHITECTURE = ROOT / "docs" / "architecture.md"


def hops() -> list[tuple[str, str]]:
    """Return the module and the qualified name of each hop of a message."""
    text = ARCHITECTURE.read_text(encoding="utf-8")
    section = text.partition("<!-- hops -->")[2].partition("<!-- end of hops -->")[0]
    return re.findall(r"^\d+\. `([\w.]+):([\w.]+)`", section, re.MULTILINE)


def test_every_hop_of_a_message_is_a_function_of_its_module() -> None:
    for module, name in hops():
        found: object = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found), f"{module}:{name}"


def test_the_walk_counts_its_hops() -> None:
    files = {module for module, _ in hops()}
    assert f"{len(hops())} functions in {len(files)} files" in ARCHITECTURE.read_text(encoding="utf-8")


def test_every_test_that_holds_a_guarantee_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", ARCHITECTURE.read_text(encoding="utf-8"))
    assert named
    assert [] == [path for path in named if not (ROOT / path).exists()]


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("feeds/**/*.md")]
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert [] == broken
