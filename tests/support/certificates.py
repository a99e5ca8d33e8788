"""Certificates for servers on loopback: a trusted and an untrusted one."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


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
