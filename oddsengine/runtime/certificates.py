"""The gateway's TLS certificate, replaced in place when its files are renewed."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Final

import structlog

from oddsengine.common.settings.file_identity import file_identity

_CHECK_S: Final = 5.0
_log = structlog.get_logger(__name__)


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """Return a TLS context for a server.

    Args:
        cert: a PEM file with the certificate chain.
        key: a PEM file with its private key.

    Raises:
        OSError: naming the file that can't be read, or both if they are not a certificate and its key.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load(context, cert, key)
    return context


async def renew(context: ssl.SSLContext, cert: str, key: str, *, check_s: float = _CHECK_S) -> None:
    """Load the files into the context whenever they change, until cancelled. New connections then get the new certificate.

    Files that can't be used are logged, and the certificate in use stays.

    Args:
        context: the context in use, loaded from these files.
        cert: see `server_context`.
        key: see `server_context`.
        check_s: how often the files are checked.
    """
    files = [Path(cert), Path(key)]
    tried = [file_identity(file) for file in files]
    while True:
        await asyncio.sleep(check_s)
        found = [file_identity(file) for file in files]
        if found == tried or None in found:
            continue
        # One that can't be used is reported once.
        tried = found
        try:
            _load(context, cert, key)
            _log.info("certificate renewed", file=cert)
        except OSError as error:
            _log.error("certificate rejected, keeping the one in use", error=str(error))


def _load(context: ssl.SSLContext, cert: str, key: str) -> None:
    for name, file in (("tls_cert", cert), ("tls_key", key)):
        # OpenSSL does not name the file that it can't open.
        try:
            Path(file).open("rb").close()
        except OSError as error:
            raise OSError(f"gateway.{name} {file}: {error.strerror or error}") from error
    try:
        context.load_cert_chain(cert, key)
    except ssl.SSLError as error:
        raise OSError(f"gateway.tls_cert {cert}, gateway.tls_key {key}: {error.reason or error}") from error
