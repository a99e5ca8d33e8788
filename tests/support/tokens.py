"""Keys and tokens for tests."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "a shared secret of more than thirty-two bytes"


def a_token(key: Any = SECRET, algorithm: str = "HS256", *, kid: str | None = None, lasts_s: float = 60.0, **claims: Any) -> str:
    claims = {"sub": "somebody", "exp": time.time() + lasts_s, **claims}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid} if kid is not None else None)


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem


def jwks_document(**keys: rsa.RSAPrivateKey) -> bytes:
    """Return the JWKS document of public keys by key id."""
    found = [
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "alg": "RS256", "use": "sig"}
        for kid, key in keys.items()
    ]
    return json.dumps({"keys": found}).encode()


def write_key(path: Path, content: bytes | str) -> str:
    """Write a key file. Return its path."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)
