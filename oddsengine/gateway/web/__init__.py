"""The live page and the JavaScript client, as they are served."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ", re.MULTILINE)
#: Modules that are served with those that they import in one file, which can be downloaded and used alone.
_STANDALONE: Final = frozenset({"client.js"})


def page_file(name: str) -> bytes:
    """Return a file of the page."""
    return _standalone(name).encode() if name in _STANDALONE else _read(name).encode()


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _standalone(name: str) -> str:
    """Return a module with those that it imports before it, which share its scope then."""
    included: dict[str, str] = {}

    def include(module: str) -> None:
        text = _read(module)
        for imported in _IMPORT.findall(text):
            if imported not in included:
                include(imported)
        included[module] = _IMPORT.sub("", text)

    include(name)
    own = included.pop(name)
    return "\n".join([*(_EXPORT.sub("", text) for text in included.values()), own])
