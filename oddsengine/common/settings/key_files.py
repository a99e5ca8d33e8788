"""Keys of Ed25519 (RFC 8032) in PEM, as those who sign quotes and checkpoints keep them in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

if TYPE_CHECKING:
    from pathlib import Path


def parse_private_key(data: bytes, source: str) -> Ed25519PrivateKey:
    """Parse the key that signs.

    Args:
        data: in PEM, without a password.
        source: where it is from, for the message of an error.

    Raises:
        ValueError: if it is none.
    """
    try:
        key = load_pem_private_key(data, None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{source}: is no private key of Ed25519 in PEM; `oddsengine history keygen` makes one")  # noqa: TRY004 - the file is wrong, not a type
    return key


def load_private_key(file: Path) -> Ed25519PrivateKey:
    """Load the key that signs. Raises ValueError if it is none, OSError if the file can't be read."""
    return parse_private_key(file.read_bytes(), str(file))


def load_public_key(file: Path) -> Ed25519PublicKey:
    """Load the key that signatures are checked with, from a file with it or with the private one; see `load_private_key`."""
    data = file.read_bytes()
    if b"PRIVATE" in data:
        return parse_private_key(data, str(file)).public_key()
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{file}: is no public key of Ed25519 in PEM")  # noqa: TRY004 - as above
    return key
