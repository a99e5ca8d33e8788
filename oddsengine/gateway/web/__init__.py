"""The live page, the JavaScript client, the console of the traders and what pages of documents load, as they are served."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ", re.MULTILINE)
#: Modules that are served with those that they import in one file, which can be downloaded and used alone.
_STANDALONE: Final = frozenset({"client.js", "store.js"})


#: What is served, by its name: paths below the page's, but for the two pages themselves.
PAGE_FILES: Final = (
    "index.html",
    "app.js",
    "client.js",
    "dom.js",
    "names.js",
    "store.js",
    "view.js",
    "style.css",
    "icon.svg",
    "console/index.html",
    "console/style.css",
    *(f"console/{name}.js" for name in ("api", "app", "commanding", "floor", "history", "live", "reasons", "sign_in")),
    *(f"console/parts/{name}.js" for name in ("ages", "chart", "command_dialog", "dialog", "list", "past", "rows")),
    *(f"console/views/{name}.js" for name in ("board", "commands", "event", "feeds", "market", "trouble")),
    *(f"docs/{name}" for name in ("docs.css", "live_examples.js", "streams.js", "swagger.js")),
)
#: The paths of the two pages.
PAGES: Final = {"index.html": "/", "console/index.html": "/console"}
CONTENT_TYPES: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def page_file(name: str) -> bytes:
    """Return a file of the page."""
    return _standalone(name).encode() if name in _STANDALONE else _read(name).encode()


def console_page(page: bytes, offered: Sequence[str]) -> bytes:
    """Return the console's page with the names of what this gateway offers: it asks for nothing else.

    Args:
        page: the page.
        offered: `provider`, where people sign in; `history`.
    """
    return page.replace(b"<body>", f'<body data-offered="{" ".join(offered)}">'.encode(), 1)


def _read(name: str) -> str:
    own = files(__package__).joinpath(name)
    return (own if own.is_file() else _package() / name).read_text(encoding="utf-8")


def _package() -> Path:
    """Return the folder of the npm package's modules: in the wheel, or in the repository."""
    packaged = Path(str(files(__package__))) / "package"
    return packaged if packaged.exists() else Path(str(files("oddsengine"))).parent / "packages" / "js" / "src"


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
