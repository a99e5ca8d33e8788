"""Keys, tokens and certificates for tests."""

from __future__ import annotations

import json
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "a shared secret of more than thirty-two bytes"


class Certificates:
    """Files in a folder: `good` and `bad` are certificates with their keys; clients that load `trusted` trust only the good one.

    Args:
        folder: the folder to write to.
    """

    def __init__(self, folder: Path) -> None:
        self.good = folder / "good.pem"
        self.bad = folder / "bad.pem"
        self.trusted = folder / "trusted.pem"
        for file in (self.good, self.bad):
            _write(file)
        # A self-signed certificate is its own authority.
        self.trusted.write_bytes(self.good.read_bytes().partition(b"-----BEGIN EC PRIVATE KEY")[0])

    def server(self) -> ssl.SSLContext:
        """Return a server context with the good certificate. Load another file into it to change the certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.good)
        # Sessions kept for resumption would be counted as memory of the process under test.
        context.num_tickets = 0
        return context


def _write(file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file.stem)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)


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
