"""Quotes that are signed: what they say, who can verify them, and how keys are changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from oddsengine.gateway.quotes.keys import QuoteKeys
from oddsengine.gateway.quotes.settings import QuoteSettings
from oddsengine.gateway.quotes.signed_quote import InvalidQuote, SignedQuote, from_jwks, read_signed, sign, thumbprint, to_jwks

if TYPE_CHECKING:
    from pathlib import Path

KEY = Ed25519PrivateKey.generate()
KID = thumbprint(KEY.public_key())
KEYS = {KID: KEY.public_key()}
QUOTE = SignedQuote(
    market="e1/total/ft/2.5",
    selection="over",
    line=2.5,
    price=1.9,
    v=7,
    at="0-1-2",
    ts=1_000_500,
    profile="default",
    iat=1000,
    exp=1060,
)


def pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_signed_quote_says_what_was_signed_to_whoever_has_the_published_keys() -> None:
    published = from_jwks(msgspec.json.decode(msgspec.json.encode(to_jwks(KEYS))))
    assert QUOTE == read_signed(sign(QUOTE, KEY, KID), published)
    assert [False, False, True] == [QUOTE.has_expired(now_s, 0.5) for now_s in (1059.9, 1060.4, 1060.5)]


def test_the_key_id_is_the_thumbprint_of_rfc_8037() -> None:
    """Appendix A.3."""
    entry = {"kty": "OKP", "crv": "Ed25519", "kid": "x", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    (key,) = from_jwks({"keys": [entry]}).values()
    assert "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" == thumbprint(key)


def altered(part: int) -> str:
    parts = sign(QUOTE, KEY, KID).split(".")
    parts[part] = ("A" if parts[part][0] != "A" else "B") + parts[part][1:]
    return ".".join(parts)


CLAIMS = msgspec.to_builtins(QUOTE)
OTHERS: dict[str, str] = {
    "nothing": "",
    "altered header": altered(0),
    "altered payload": altered(1),
    "altered signature": altered(2),
    "another key": sign(QUOTE, Ed25519PrivateKey.generate(), KID),
    "an unknown key id": sign(QUOTE, KEY, "other"),
    "another type": jwt.encode(CLAIMS, KEY, "EdDSA", headers={"kid": KID}),
    "a shared secret": jwt.encode(CLAIMS, public_pem(KEY).hex(), "HS256", headers={"kid": KID, "typ": "quote+jwt"}),
    "no algorithm": jwt.encode(CLAIMS, "", "none", headers={"kid": KID, "typ": "quote+jwt"}),
    "missing claims": jwt.encode({"market": "m"}, KEY, "EdDSA", headers={"kid": KID, "typ": "quote+jwt"}),
    "too long": "a" * 5000,
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_whatever_else_is_no_signed_quote(text: str) -> None:
    with pytest.raises(InvalidQuote):
        read_signed(text, KEYS)


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}])
def test_what_is_no_set_of_keys_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="JWK Set"):
        from_jwks(document)


def test_keys_that_sign_no_quotes_are_left_out() -> None:
    ours = to_jwks(KEYS)["keys"][0]
    others = [{"kty": "RSA", "kid": "r"}, {**ours, "x": "short"}, {**ours, "kid": None}, {**ours, "d": "secret"}, 5]
    assert {} == from_jwks({"keys": others})


def test_keys_are_changed_without_a_restart(tmp_path: Path) -> None:
    """The next key is published first, then signs; the one of before stays published until its quotes have expired."""
    old, new = KEY, Ed25519PrivateKey.generate()
    signing, published = tmp_path / "quotes.pem", [tmp_path / "old.pub", tmp_path / "new.pub"]
    signing.write_bytes(pem(old))
    for file, key in zip(published, (old, new), strict=True):
        file.write_bytes(public_pem(key))
    keys = QuoteKeys(QuoteSettings(signing_key_file=str(signing), published_keys=tuple(map(str, published))))
    ids = [thumbprint(key.public_key()) for key in (old, new)]
    assert ids == list(keys.public)
    signed = sign(QUOTE, old, keys.kid)
    for content, kid in ((b"half a fi", ids[0]), (pem(new), ids[1])):
        signing.write_bytes(content)
        os.utime(signing, ns=(1, signing.stat().st_mtime_ns + 1))
        keys.refresh()
        assert kid == keys.kid
        assert QUOTE == read_signed(signed, keys.public)
    assert sorted(ids) == sorted(keys.public)


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text("nothing")
    for settings in (
        QuoteSettings(signing_key_file=str(other)),
        QuoteSettings(published_keys=(str(other),)),
        QuoteSettings(published_keys=(f"{other}x",)),
        QuoteSettings(signing_key_env="ODDSENGINE_NO_SUCH_VARIABLE"),
    ):
        with pytest.raises(ValueError, match=r"other\.pem|ODDSENGINE_NO_SUCH_VARIABLE"):
            QuoteKeys(settings)
    with pytest.raises(ValueError, match="only one of"):
        QuoteSettings(signing_key_file="a", signing_key_env="b")


def test_without_keys_nothing_is_signed_or_verified() -> None:
    keys = QuoteKeys(QuoteSettings())
    assert (None, "", {}) == (keys.signing, keys.kid, keys.public)
