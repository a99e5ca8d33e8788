"""The check of the source tree finds circles of imports, long files and crowded folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.structure import MAX_FILES, MAX_LINES, circles, imports_of, problems

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Write a file of a project that lies in the current folder."""
    monkeypatch.chdir(tmp_path)

    def write_file(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write_file


def found(root: str = "shop") -> list[str]:
    return problems([Path(root)])


def test_a_tree_without_circles_has_no_problems(write: Callable[[str, str], None]) -> None:
    write("shop/__init__.py", "from shop.a import A\n")
    write("shop/a.py", "import shop.b\nfrom os import path\nA = 1\n")
    write("shop/b.py", "import json\n")
    assert [] == found()


@pytest.mark.parametrize(
    "back",
    [
        "from shop.a import A\n",
        "from shop import a\n",
        "import shop.a\n",
        "from . import a\n",
        "from .a import A\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.a import A\n",
        "def later():\n    from shop.a import A\n",
    ],
)
def test_a_circle_is_found_however_it_is_closed(write: Callable[[str, str], None], back: str) -> None:
    write("shop/__init__.py", "")
    write("shop/a.py", "from shop.b import B\n")
    write("shop/b.py", "import shop.c\n")
    write("shop/c.py", back)
    assert ["circle of imports: shop.a, shop.b, shop.c"] == found()


def test_a_file_that_imports_from_its_own_package_closes_a_circle(write: Callable[[str, str], None]) -> None:
    write("shop/__init__.py", "from shop.a import A\n")
    write("shop/a.py", "from shop import VERSION\n")
    assert ["circle of imports: shop, shop.a"] == found()


def test_long_files_and_crowded_folders_are_named(write: Callable[[str, str], None]) -> None:
    for number in range(MAX_FILES):
        write(f"shop/a{number}.py", "\n" * (MAX_LINES + (number == 0)))
    write("shop/rules.lua", "")
    write("shop/room/b.py", "")
    assert [
        f"shop/a0.py: {MAX_LINES + 1} lines, more than {MAX_LINES}: split it",
        f"shop: {MAX_FILES + 1} files, more than {MAX_FILES}: make rooms",
    ] == [problem.replace("\\", "/") for problem in found()]


def test_relative_imports_start_at_the_package() -> None:
    assert {"a.b.c", "a.d.e", "a.f"} == imports_of("from .b import c\nfrom .d import e\nfrom . import f\n", "a")
    assert {"a.b"} == imports_of("from .. import b\n", "a.c")


MODULES = st.integers(0, 7).map(str)


@given(st.dictionaries(MODULES, st.sets(MODULES), max_size=8))
def test_two_modules_are_in_a_circle_if_each_reaches_the_other(edges: dict[str, set[str]]) -> None:
    graph = {str(number): {to for to in edges.get(str(number), set()) if to != str(number)} for number in range(8)}

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        pending = [start]
        while pending:
            for to in graph[pending.pop()] - seen:
                seen.add(to)
                pending.append(to)
        return seen

    expected = {
        frozenset(other for other in graph if other in reachable(module) and module in reachable(other)) for module in graph
    }
    assert {group for group in expected if len(group) > 1} == {frozenset(group) for group in circles(graph)}
