"""Starts a script that cleans up after this process, however that ends."""

from __future__ import annotations

import subprocess


def start_watcher(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a script in a session of its own. Return its process.

    Its standard input ends once this process has ended, whatever has ended that, or once the caller closes it.

    Args:
        script: for `/bin/sh`; it reads its standard input to the end first.
        arguments: `$1` and those that follow.
    """
    return subprocess.Popen(  # noqa: S603 - a constant script
        ["/bin/sh", "-c", script, "watcher", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
