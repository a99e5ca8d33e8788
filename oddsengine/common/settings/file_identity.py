"""The identity of a file: it tells two versions of one apart."""

from __future__ import annotations

import os
from typing import NamedTuple


class FileIdentity(NamedTuple):
    """The identity of one version of a file.

    The time of modification alone is none: images that are built reproducibly, and copies that keep times, give another file the
    same one, and a file that is read while it is written may get its last bytes within the same tick of the clock.
    """

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def file_identity(path: str | os.PathLike[str]) -> FileIdentity | None:
    """Return what identifies a version of a file, with all links followed; None if it is missing."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a path may be text
    except OSError:
        return None
    return FileIdentity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
