"""`oddsengine health`: whether the processes of this user on this machine are alive, for a container's health check.

This imports the standard library only: it runs every few seconds.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from oddsengine.runtime.processes.run_file import folder, running

if TYPE_CHECKING:
    from pathlib import Path

    from oddsengine.runtime.settings import Settings

_TIMEOUT_S = 2.0
_MAX_BYTES = 65_536
_MAX_SHOWN = 200


def health(urls: list[str]) -> int:
    """Ask `/healthz` of each process, print the answers, and return the exit code: 0 if all are alive, 1 if not.

    Args:
        urls: whom to ask; empty for every process of this user.
    """
    asked = urls or [process["url"] for process in running()]
    if not asked:
        sys.stderr.write(f"error: no running oddsengine process of this user has a file in {folder()}; --url asks one directly\n")
        return 1
    return max(_ask(url) for url in asked)


def urls_of(config: Path, settings: Settings) -> list[str]:
    """Return where the running processes of a config file listen; where its gateway would, if none of them runs."""
    found = [process["url"] for process in running() if str(config.absolute()) in process["arguments"]]
    scheme = "https" if settings.gateway.tls_cert else "http"
    return found or [f"{scheme}://127.0.0.1:{settings.gateway.port}"]


def _ask(url: str) -> int:
    if not url:
        sys.stdout.write("running; it does not listen\n")
        return 0
    # Only whether it answers counts: its certificate is for other names than this machine's own.
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting))
    try:
        with opener.open(f"{url.rstrip('/')}/healthz", timeout=_TIMEOUT_S) as response:
            answer = json.loads(response.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        sys.stderr.write(f"error: {url}: {str(getattr(error, 'reason', error)).strip()[:_MAX_SHOWN]}\n")
        return 1
    if not isinstance(answer, dict):
        sys.stderr.write(f"error: {url}: what answers there is no process of oddsengine\n")
        return 1
    words = [str(answer.get(key)) for key in ("status", "step", "waiting_for") if answer.get(key)]
    sys.stdout.write(f"{url}: {', '.join(words)}\n")
    return 0


def main(arguments: list[str]) -> int | None:
    """Run the command without the time that the others take to load. Return None if it is not as simple as that."""
    if not arguments:
        return health([])
    return health(arguments[1::2]) if all(name == "--url" for name in arguments[::2]) and not len(arguments) % 2 else None
