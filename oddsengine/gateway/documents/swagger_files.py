"""The files of Swagger UI, from the package `aiohttp-swagger3` where that is installed (the extra `docs`)."""

from __future__ import annotations

import asyncio
import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

_PACKAGE: Final = "aiohttp_swagger3"
_TYPES: Final = {"js": "text/javascript", "css": "text/css"}
BUNDLE: Final = "swagger-ui-bundle.js"
STYLE: Final = "swagger-ui.css"
#: Their address names the version.
_KEPT: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


@cache
def version() -> str:
    """Return the version of Swagger UI; empty where it is not installed."""
    folder = _folder()
    return "" if folder is None else (folder / "VERSION").read_text(encoding="utf-8").strip()


def swagger_routes() -> dict[str, Handler]:
    """Return the files that the page loads, by path; none where the package is not installed."""
    folder = _folder()
    return {} if folder is None else {f"/docs/{name}": _serving(folder / name) for name in (BUNDLE, STYLE)}


def _folder() -> Path | None:
    """Return where the files are, without importing the package; None where they are not."""
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "swagger_ui"
    return folder if all((folder / name).is_file() for name in (BUNDLE, STYLE, "VERSION")) else None


def _serving(file: Path) -> Handler:
    compressed: list[bytes] = []

    async def handler(request: web.Request) -> web.Response:
        headers, content_type = _KEPT, _TYPES[file.suffix.removeprefix(".")]
        if "gzip" not in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            return web.Response(
                body=await asyncio.to_thread(file.read_bytes), content_type=content_type, charset="utf-8", headers=headers
            )
        if not compressed:
            # 1.5 MB: in a thread, once, when somebody reads the documents.
            compressed.append(await asyncio.to_thread(lambda: gzip.compress(file.read_bytes(), mtime=0)))
        headers = {**headers, "Content-Encoding": "gzip"}
        return web.Response(body=compressed[0], content_type=content_type, charset="utf-8", headers=headers)

    return handler
