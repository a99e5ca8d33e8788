"""The key that signs checkpoints of the history, from the file that the configuration names."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oddsengine.common.settings.key_files import load_private_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from oddsengine.history.settings import HistorySettings

#: Who may do more than the owner and the group, which a mounted secret may be readable by.
_OTHERS: Final = stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP


def load_checkpoint_key(settings: HistorySettings) -> Ed25519PrivateKey | None:
    """Load the key; None if none is configured.

    Raises:
        ValueError: if its file can't be read, or is none; the message names both.
    """
    if not settings.checkpoint_key:
        return None
    try:
        return load_private_key(Path(settings.checkpoint_key))
    except OSError as error:
        raise ValueError(f"history.checkpoint_key: {settings.checkpoint_key}: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"history.checkpoint_key: {error}") from None


def is_exposed(settings: HistorySettings) -> bool:
    """Check whether others than the owner and the group of the file of the key may use it, or may replace it."""
    return bool(settings.checkpoint_key and Path(settings.checkpoint_key).stat().st_mode & _OTHERS)
