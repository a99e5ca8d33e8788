"""What the files that a config names hold: a changed secret changes nothing in the config that names its file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import msgspec

    from oddsengine.runtime.settings.schema import Settings

#: The keys of files that a running process reads once.
READ_ONCE: Final = (
    "redis.url_file",
    "redis.tls_ca",
    "redis.tls_cert",
    "redis.tls_key",
    "metrics.token_file",
    "history.password_file",
    "history.tls_ca",
    "history.tls_cert",
    "history.tls_key",
    "history.checkpoint_key",
)
#: How the keys of a feed's files end.
_FILE: Final = "_file"


def contents_read_once(settings: Settings) -> dict[str, str]:
    """Return a digest of each file that a process reads once and that can be read, by key."""
    found: dict[str, str] = {}
    for key in READ_ONCE:
        section, _, name = key.partition(".")
        if digest := _digest(getattr(getattr(settings, section), name)):
            found[key] = digest
    return found


def contents_of_feed(config: msgspec.Struct) -> tuple[str, ...]:
    """Return a digest of each file that the config of a feed names; empty for one that can't be read."""
    values: Any = config
    names = [name for name in config.__struct_fields__ if name.endswith(_FILE)]
    return tuple(_digest(file) for name in names if (file := getattr(values, name)))


def _digest(file: str) -> str:
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    except OSError:
        return ""
