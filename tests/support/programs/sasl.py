"""Kafka's SASL in front of the tests' broker, whose own can't be used: this release of it forgets the users that it is given.

A connection asks for versions, which the broker answers, and shows who it is (KIP-43, KIP-152; RFC 4616, RFC 5802). Then it is
the broker's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator

_HANDSHAKE, _VERSIONS, _AUTHENTICATE = 17, 18, 36
_REFUSED: Final = 58
_SALT, _NONCE = b"of the tests", "of-the-broker"
#: The fewest that Kafka allows.
_ITERATIONS: Final = 4096
_DIGESTS: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


class Sasl:
    """Admits one user, with one password, by every mechanism.

    Args:
        user: the user.
        password: the password.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    async def let_in(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        of_broker: asyncio.StreamReader,
        to_broker: asyncio.StreamWriter,
    ) -> bool:
        """Speak with a client until it is let in. Return False if it is not."""
        mechanism, steps = "", None
        while True:
            frame = await _read(reader)
            api, version, correlation, size = struct.unpack_from(">hhih", frame)
            body = frame[10 + max(size, 0) :]
            if api == _VERSIONS:
                to_broker.write(_framed(frame))
                writer.write(_framed(await _read(of_broker)))
            elif api == _HANDSHAKE:
                mechanism = body[2:].decode()
                names = ("PLAIN", *_DIGESTS)
                listed = b"".join(struct.pack(">h", len(name)) + name.encode() for name in names)
                writer.write(_framed(struct.pack(">ihi", correlation, 0, len(names)) + listed))
            elif api == _AUTHENTICATE and mechanism:
                if steps is None:
                    steps = self._plain() if mechanism == "PLAIN" else self._scram(_DIGESTS[mechanism])
                    next(steps)
                answer, is_done = steps.send(body[4:])
                error = 0 if answer is not None else _REFUSED
                found = struct.pack(">ihhi", correlation, error, -1, len(answer or b"")) + (answer or b"")
                writer.write(_framed(found + (struct.pack(">q", 0) if version else b"")))
                if is_done:
                    return answer is not None
            else:
                return False

    def _plain(self) -> Generator[tuple[bytes | None, bool], bytes, None]:
        """Take tokens of a client, and yield what to answer, None to refuse; and whether that is the end."""
        token = yield b"", False
        yield (b"" if token.split(b"\0")[1:] == [self._user.encode(), self._password.encode()] else None), True

    def _scram(self, digest: str) -> Generator[tuple[bytes | None, bool], bytes, None]:
        first = (yield b"", False).removeprefix(b"n,,")
        said = dict(part.split(b"=", 1) for part in first.split(b","))
        challenge = f"r={said[b'r'].decode()}{_NONCE},s={base64.b64encode(_SALT).decode()},i={_ITERATIONS}".encode()
        last = yield challenge, False
        without_proof, _, proof = last.partition(b",p=")
        exchanged = b",".join((first, challenge, without_proof))
        salted = hashlib.pbkdf2_hmac(digest, self._password.encode(), _SALT, _ITERATIONS)
        client_key, server_key = (hmac.digest(salted, name, digest) for name in (b"Client Key", b"Server Key"))
        signature = hmac.digest(hashlib.new(digest, client_key).digest(), exchanged, digest)
        expected = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        is_known = said[b"n"] == self._user.encode() and hmac.compare_digest(expected, base64.b64decode(proof))
        yield b"v=" + base64.b64encode(hmac.digest(server_key, exchanged, digest)) if is_known else None, True


async def _read(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))


def _framed(frame: bytes) -> bytes:
    return len(frame).to_bytes(4, "big") + frame
