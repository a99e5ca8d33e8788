"""The keys that quotes are signed and verified with, from the configuration; read again when their files change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.settings.file_identity import file_identity
from oddsengine.common.settings.key_files import load_public_key, parse_private_key
from oddsengine.gateway.quotes.signed_quote import thumbprint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from oddsengine.common.settings.file_identity import FileIdentity
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
        self._identities = self._identify()
        self._load()

    def refresh(self) -> None:
        """Read the files again if one has changed. If that can't be used, the keys of before are kept, and it is logged."""
        identities = self._identify()
        if identities == self._identities:
            return
        self._identities = identities
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
        signing = parse_private_key(text.encode(), f"quotes: {source}") if text else None
        public = {} if signing is None else {thumbprint(signing.public_key()): signing.public_key()}
        for file in self.settings.published_keys:
            key = _published_key(file)
            public.setdefault(thumbprint(key), key)
        self.signing, self.public = signing, public
        self.kid = next(iter(public), "") if signing is not None else ""

    def _identify(self) -> list[FileIdentity | None]:
        return [file_identity(file) for file in self._files]


def _published_key(file: str) -> Ed25519PublicKey:
    try:
        return load_public_key(Path(file))
    except OSError as error:
        raise ValueError(f"quotes.published_keys: {file}: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"quotes.published_keys: {error}") from None
