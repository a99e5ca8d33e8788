"""Checks the shape of the source tree: no circle of imports between files, no long file, no crowded folder.

Run by `make lint`. Imports in functions and under TYPE_CHECKING count too:
a reader of the file has to follow them.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Final

MAX_LINES: Final = 400
MAX_FILES: Final = 12


def module_name(file: Path) -> str:
    """Return the dotted name of a file below the current folder."""
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, package: str) -> set[str]:
    """Return every dotted name that a file imports.

    Args:
        source: the text of the file.
        package: the package that relative imports start from.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                ancestors = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*ancestors, *([node.module] if node.module else [])])
            # `from package import name` imports a module if there is one of that name, else the package.
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def import_graph(files: dict[str, Path]) -> dict[str, set[str]]:
    """Return, for each module, the modules among `files` that it imports."""
    graph: dict[str, set[str]] = {}
    for name, file in files.items():
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        found = {
            imported if imported in files else imported.rpartition(".")[0]
            for imported in imports_of(file.read_text(encoding="utf-8"), package)
        }
        graph[name] = {module for module in found if module in files and module != name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or through others (strongly connected components).

    Tarjan, "Depth-first search and linear graph algorithms", 1972.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for imported in sorted(graph[module]):
            if imported not in index:
                visit(imported)
                low[module] = min(low[module], low[imported])
            elif imported in stack:
                low[module] = min(low[module], index[imported])
        if low[module] == index[module]:
            start = stack.index(module)
            if len(stack) - start > 1:
                found.append(sorted(stack[start:]))
            del stack[start:]

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return found


def problems(roots: list[Path]) -> list[str]:
    """Return what is wrong with the source trees under these folders."""
    paths = sorted(file for root in roots for file in root.rglob("*.py"))
    graph = import_graph({module_name(file): file for file in paths})
    found = [f"circle of imports: {', '.join(group)}" for group in circles(graph)]
    for file in paths:
        lines = len(file.read_text(encoding="utf-8").splitlines())
        if lines > MAX_LINES:
            found.append(f"{file}: {lines} lines, more than {MAX_LINES}: split it")
    for folder in sorted({file.parent for file in paths}):
        count = sum(1 for file in folder.iterdir() if file.is_file())
        if count > MAX_FILES:
            found.append(f"{folder}: {count} files, more than {MAX_FILES}: make rooms")
    return found


def main() -> None:
    """Print the problems of the folders given as arguments. Exit with 1 if there are any."""
    found = problems([Path(argument) for argument in sys.argv[1:]])
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
