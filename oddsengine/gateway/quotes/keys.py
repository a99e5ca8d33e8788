"""The keys that quotes are signed and verified with, from the configuration; read again when their files change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from oddsengine.gateway.quotes.signed_quote import key_id

if TYPE_CHECKING:
    from oddsengine.gateway.quotes.settings import QuoteSettings

_log: Final = structlog.get_logger(__name__)


class QuoteKeys:
    """The private key that signs, and the public keys that are published.

    Args:
        settings: where they are.

    Raises:
        ValueError: if one can't be read or is none; the message names it.
    """

    def __init__(self, settings: QuoteSettings) -> None:
        self.settings = settings
        self._files = [file for file in (settings.signing_key_file, *settings.published_keys) if file]
        #: what signs; None if nothing does
        self.signing: Ed25519PrivateKey | None = None
        #: the id of the key that signs
        self.kid = ""
        #: key id -> public key; that of the one that signs first
        self.public: dict[str, Ed25519PublicKey] = {}
        self._modified = self._modified_at()
        self._load()

    def refresh(self) -> None:
        """Read the files again if one has changed. If that can't be used, the keys of before are kept, and it is logged."""
        modified = self._modified_at()
        if modified == self._modified:
            return
        self._modified = modified
        try:
            self._load()
        except ValueError as error:
            _log.error("quote key unusable", error=str(error), kept_keys=list(self.public))

    def _load(self) -> None:
        try:
            text = self.settings.read_signing_key()
        except ValueError as error:
            raise ValueError(f"quotes.{error}") from None
        source = self.settings.signing_key_file or self.settings.signing_key_env
        signing = _private_key(text.encode(), source) if text else None
        public = {} if signing is None else {key_id(signing.public_key()): signing.public_key()}
        for file in self.settings.published_keys:
            key = _public_key(Path(file))
            public.setdefault(key_id(key), key)
        self.signing, self.public = signing, public
        self.kid = next(iter(public), "") if signing is not None else ""

    def _modified_at(self) -> tuple[int, ...]:
        return tuple(_modified_ns(file) for file in self._files)


def _modified_ns(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return 0


def _private_key(data: bytes, source: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(data, None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"quotes: {source}: is no private key of Ed25519 in PEM")  # noqa: TRY004 - the file is wrong, not a type
    return key


def _public_key(file: Path) -> Ed25519PublicKey:
    """Return the public key of a file with it, or with the private one."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ValueError(f"quotes.published_keys: {file}: {error.strerror or error}") from None
    if b"PRIVATE" in data:
        return _private_key(data, str(file)).public_key()
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"quotes.published_keys: {file}: is no public key of Ed25519 in PEM")  # noqa: TRY004 - as above
    return key
