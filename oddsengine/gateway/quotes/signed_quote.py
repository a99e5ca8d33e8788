"""A quote as it is signed: a compact JWS (RFC 7515, RFC 8037) that anybody can verify offline with the published keys (RFC 7517).

The Python client verifies with this module too. No I/O, no clock.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: Explicit typing (RFC 8725, section 3.11): no other token of the same key can be taken for a quote.
TYPE: Final = "quote+jwt"
ALGORITHM: Final = "EdDSA"
#: Longer ones are rejected unread.
MAX_CHARACTERS: Final = 4096


class InvalidQuote(ValueError):
    """A signed quote that none of these keys has signed."""


class ExpiredQuote(InvalidQuote):
    """A signed quote is over its time.

    Attributes:
        quote: what it says.
    """

    def __init__(self, quote: SignedQuote) -> None:
        self.quote = quote
        super().__init__(f"the quote has expired at {quote.exp} (Unix seconds)")


class SignedQuote(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a signed quote: this price was on offer.

    Attributes:
        market: the market's id.
        selection: the key of its selection.
        line: the market's line; None if it has none.
        price: decimal odds.
        v: the market's version.
        at: the position of its shard, as in messages.
        ts: when it was signed, Unix milliseconds.
        profile: whose price it is.
        iat: when it was signed, Unix seconds.
        exp: until when it is valid, Unix seconds.
    """

    market: str
    selection: str
    line: float | None
    price: float
    v: int
    at: str
    ts: int
    profile: str
    iat: int
    exp: int

    def has_expired(self, now_s: float, leeway_s: float = 0.0) -> bool:
        """Check whether its time is over.

        Args:
            now_s: Unix seconds.
            leeway_s: how much clocks may differ.
        """
        return now_s >= self.exp + leeway_s


def sign(quote: SignedQuote, key: Ed25519PrivateKey, kid: str) -> str:
    """Return a quote as a compact JWS."""
    return jwt.encode(msgspec.to_builtins(quote), key, algorithm=ALGORITHM, headers={"kid": kid, "typ": TYPE})


def read_signed(text: str, keys: Mapping[str, Ed25519PublicKey]) -> SignedQuote:
    """Verify the signature of a quote. Return what it says, also after its time.

    Args:
        text: the compact JWS.
        keys: key id -> public key.

    Raises:
        InvalidQuote: if none of the keys has signed it, or it is no quote.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidQuote("a signed quote is not that long")
    try:
        header = jwt.get_unverified_header(text)
    except Exception as error:  # noqa: BLE001 - whatever a library makes of foreign text
        raise InvalidQuote(f"not a signed quote: {error}") from None
    kid = header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    if header.get("typ") != TYPE:
        raise InvalidQuote("not a signed quote: it has another type")
    if key is None:
        raise InvalidQuote("signed with a key that is not among the published ones")
    try:
        claims = jwt.decode(text, key, algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)
        return msgspec.convert(claims, SignedQuote)
    except Exception as error:  # noqa: BLE001 - as above
        raise InvalidQuote(f"not a signed quote: {error}") from None


#: Its times are compared by whoever knows the time.
_SIGNATURE_ONLY: Final[Any] = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


def thumbprint(key: Ed25519PublicKey) -> str:
    """Return the thumbprint of a key (RFC 7638, RFC 8037 appendix A.3), which is its id."""
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{_raw(key)}"}}'
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def to_jwks(keys: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    """Return public keys as a JWK Set."""
    shared = {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM}
    return {"keys": [{**shared, "kid": kid, "x": _raw(key)} for kid, key in keys.items()]}


def from_jwks(document: Any) -> dict[str, Ed25519PublicKey]:
    """Return the keys of a JWK Set that sign quotes, by their id. Others are left out.

    Raises:
        ValueError: if it is none.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise ValueError("not a JWK Set (RFC 7517, section 5): it has no keys")  # noqa: TRY004 - the document is wrong
    found: dict[str, Ed25519PublicKey] = {}
    for entry in entries:
        is_ours = isinstance(entry, dict) and entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519"
        if not is_ours or "d" in entry or not isinstance(entry.get("kid"), str):
            continue
        try:
            padded = entry["x"] + "=" * (-len(entry["x"]) % 4)
            found[entry["kid"]] = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(padded))
        except (KeyError, TypeError, ValueError):
            continue
    return found


def _raw(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
