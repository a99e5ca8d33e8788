"""Checkpoints: where all chains ended at a time, signed with Ed25519 (RFC 8032), each with the digest of the one before.

Whoever may write to the database can compute a chain anew, but not sign where it ended: the key is a file of the archiver.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from oddsengine.history.verification.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.history.rows.tables import ShardPosition


class ChainEnd(msgspec.Struct, frozen=True):
    """The end of the chains of a stream, in hexadecimal where they are digests."""

    epoch: int
    seq: int
    digest: str
    number: int
    record_digest: str


class Checkpoint(msgspec.Struct, frozen=True):
    """The signed content. `previous` is the digest of the checkpoint before, empty in the first one."""

    number: int
    at_ms: int
    previous: str
    streams: dict[str, ChainEnd]


class CheckpointRow(NamedTuple):
    """A row of `checkpoints`."""

    number: int
    at_ms: int
    key_id: str
    body: bytes
    signature: bytes


_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_decode: Final = msgspec.json.Decoder(Checkpoint).decode


def generate_key(path: Path) -> Path:
    """Write a new private key to a file that only we can read, and its public key beside it. Return the file of that one.

    Raises:
        OSError: if a file can't be written, or the first one exists.
    """
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = Path(f"{path}.pub")
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return public


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the first 64 bits of the SHA-256 of a key in hexadecimal, by which checkpoints name it."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def sign(key: Ed25519PrivateKey, streams: Mapping[str, ShardPosition], before: CheckpointRow | None, at_ms: int) -> CheckpointRow:
    """Return the checkpoint after another one.

    Args:
        key: the key that signs.
        streams: how far each stream is archived.
        before: the last checkpoint.
        at_ms: Unix milliseconds.
    """
    ends = {
        name: ChainEnd(each.epoch, each.seq, each.digest.hex(), each.number, each.record_digest.hex())
        for name, each in streams.items()
    }
    number = 1 if before is None else before.number + 1
    body = _encode(Checkpoint(number, at_ms, "" if before is None else digest_of_row(before), ends))
    return CheckpointRow(number, at_ms, fingerprint(key.public_key()), body, key.sign(body))


def digest_of_row(row: CheckpointRow) -> str:
    """Return the digest of a checkpoint, which is what it is known by elsewhere: in a log, in the next one."""
    return hashlib.sha256(row.body + row.signature).hexdigest()


def read_checkpoints(
    rows: Iterable[CheckpointRow], keys: Mapping[str, Ed25519PublicKey]
) -> tuple[list[Checkpoint], Problem | None]:
    """Return what checkpoints say, and the first problem with them.

    Args:
        rows: they, by number, from the first one.
        keys: the keys that may have signed, by their fingerprints.
    """
    found: list[Checkpoint] = []
    previous = ""
    for row in rows:
        key = keys.get(row.key_id)
        if key is None:
            return found, _problem(row, f"signed with the key {row.key_id}, which was not given")
        try:
            key.verify(row.signature, row.body)
        except InvalidSignature:
            return found, _problem(row, "changed: it does not have its signature")
        checkpoint = _decode(row.body)
        if (checkpoint.number, checkpoint.at_ms) != (row.number, row.at_ms) or checkpoint.number != len(found) + 1:
            return found, _problem(row, f"removed: a checkpoint after number {len(found)}")
        if checkpoint.previous != previous:
            return found, _problem(row, "changed: it does not follow the one before")
        previous = digest_of_row(row)
        found.append(checkpoint)
    return found, None


def _problem(row: CheckpointRow, what: str) -> Problem:
    return Problem("checkpoints", f"checkpoint {row.number}", row.at_ms, what)
