"""Files that say where the processes of this user listen, so that `oddsengine health` can ask them.

Each process keeps a small file while it runs. This imports the standard library only: a health check runs every few seconds.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def folder() -> Path:
    """Return the folder of the files: ODDSENGINE_RUN_DIR, else one of this user among the temporary files."""
    configured = os.environ.get("ODDSENGINE_RUN_DIR", "")
    return Path(configured) if configured else Path(tempfile.gettempdir()) / f"oddsengine-{os.getuid()}"


@contextmanager
def announced(url: str) -> Iterator[str]:
    """Keep a file with the URL of this process, while the context is open. Yield why it can't be written, or an empty string.

    Args:
        url: its URL as this machine reaches it; empty for a process that does not listen.
    """
    file: Path | None = None
    reason = ""
    try:
        file = folder() / f"{os.getpid()}-{url.rpartition(':')[2] or 0}.json"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.parent.stat().st_uid != os.getuid():
            raise PermissionError(f"{file.parent} belongs to another user")
        arguments = [str(Path(argument).absolute()) for argument in sys.argv[1:]]
        process = {"pid": os.getpid(), "began": _began(os.getpid()), "url": url, "arguments": arguments}
        file.write_text(json.dumps(process), encoding="utf-8")
    except OSError as error:
        reason = str(error)
    try:
        yield reason
    finally:
        if file is not None:
            with suppress(OSError):
                file.unlink()


def running() -> list[dict[str, Any]]:
    """Return what the running processes of this user have announced: `pid`, `url` and `arguments`, each as an absolute path.

    Remove the files of those that died.
    """
    found: list[dict[str, Any]] = []
    for file in sorted(folder().glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            process = json.loads(file.read_text(encoding="utf-8"))
            if _began(process["pid"]) == process["began"]:
                found.append(process)
            else:
                file.unlink()
    return found


def _began(pid: int) -> str:
    """Return when a process began, since ids are reused (proc(5), field 22); empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return ""
