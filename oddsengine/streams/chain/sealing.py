"""Commands as the chain of their log hashes them: the names of people are commitments.

A commitment is a keyed hash of the name, by a salt of its own for each entry. Whoever has name and salt can show that the name
was in the entry. If both are deleted, nobody can tell whose it was, and the chain still holds.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from oddsengine.commands.command import Command

#: The size of a salt: as much as the hash.
SALT_BYTES: Final = 32
#: The digest of an entry that says that the table has to be read again is that of these bytes.
RELOADED: Final = b"reload"
_encode: Final = msgspec.msgpack.Encoder().encode


def commitment(name: str, salt: bytes) -> str:
    """Return what stands for a name."""
    return hmac.new(salt, name.encode(), hashlib.sha256).hexdigest()


def seal(command: Command, salt: bytes) -> bytes:
    """Encode a command with commitments in place of names."""
    return _encode(
        msgspec.structs.replace(
            command,
            author=commitment(command.author, salt),
            confirmed_by=None if command.confirmed_by is None else commitment(command.confirmed_by, salt),
            lifted_by=None if command.lifted_by is None else commitment(command.lifted_by, salt),
        )
    )
