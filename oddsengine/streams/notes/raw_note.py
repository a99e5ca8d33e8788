"""A note as it is in its stream. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from oddsengine.streams.positions import Position


class RawNote(NamedTuple):
    """A note as it is stored, with its position: when the stream was begun, and its number."""

    position: Position
    fields: Mapping[bytes, bytes]

    @property
    def digest(self) -> bytes:
        """That of the chain up to here."""
        return self.fields.get(b"d", b"")

    def follows(self, digest: bytes) -> bool:
        """Check by the chain whether the note before had a digest."""
        parts = (self.fields.get(name, b"") for name in (b"k", b"n", b"t", b"b"))
        # As the script does it that writes, where Redis has no other hash. It finds losses; forgeries are found in the history.
        return hashlib.sha1(digest + b" ".join(parts), usedforsecurity=False).hexdigest().encode() == self.digest
