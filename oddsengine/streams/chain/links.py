"""Links of a chain: every entry of a stream carries SHA-256 over the digest of the entry before it and its own bytes.

The entries of an epoch follow each other. The first one of an epoch names the entry that it follows: the last one that the state
of its owner was built on. That may be before the end of the stream (a stale owner has written more) or after it (Redis has lost
what followers have read). Nothing follows the entries of the earlier epoch after the named one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.streams.keys import DIGEST_FIELD
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What the first entry of all follows, and one that follows an entry without a digest.
NO_DIGEST: Final = b""
#: The size of every other digest.
DIGEST_BYTES: Final = 32


class Link(NamedTuple):
    """An entry, and its digest."""

    position: Position
    digest: bytes

    def encode(self) -> bytes:
        """Encode as the field of an entry that names which one it follows."""
        return b"%b %b" % (self.position.stream_id().encode(), self.digest)


#: Before every entry.
NO_LINK: Final = Link(ORIGIN, NO_DIGEST)


def digest_of(previous: bytes, entry: bytes) -> bytes:
    """Return the digest of an entry.

    Args:
        previous: the digest of the entry that it follows.
        entry: its bytes, as written.
    """
    return hashlib.sha256(previous + entry).digest()


def find_digest(fields: Mapping[bytes, bytes]) -> bytes:
    """Return the digest that an entry carries, empty if it carries none."""
    return fields.get(DIGEST_FIELD, NO_DIGEST)


def decode_link(encoded: bytes) -> Link:
    """Decode a link. Raises ValueError if it is malformed."""
    position, _, digest = encoded.partition(b" ")
    if len(digest) not in {0, DIGEST_BYTES}:
        raise ValueError(f"a digest of {len(digest)} bytes")
    return Link(parse_stream_id(position), digest)
