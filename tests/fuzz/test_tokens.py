"""Tokens: each grants something or is not valid, with a reason that can be sent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.access.authentication import Authenticator, Unauthorised
from oddsengine.gateway.access.grants import SessionLimits
from oddsengine.gateway.access.published_keys import parse_jwks
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.protocol.encoders import JSON, MSGPACK
from oddsengine.gateway.protocol.server_messages import Authenticated
from tests.fuzz.budget import bounded, share, tried
from tests.fuzz.grammar import Raw, corpus, damaged, inputs, mostly, odd, to_json
from tests.support.credentials import SECRET

headers = st.fixed_dictionaries(
    {"alg": mostly(st.just("HS256"))},
    optional={"kid": mostly(st.text(max_size=5)), "typ": mostly(st.just("JWT")), "x": mostly(st.just(1))},
)
claims = st.fixed_dictionaries(
    {"exp": mostly(st.floats(4e9, 9e9) | st.integers(4_000_000_000, 9_000_000_000))},
    optional={
        "sub": mostly(st.text(max_size=10)),
        "profile": mostly(st.text(max_size=5) | st.none()),
        "channels": mostly(st.lists(mostly(st.sampled_from(["*", "event:*", "[", "[!", "?*?*?*", "x"])), max_size=4)),
        "role": mostly(st.sampled_from(["subscriber", "service", "trader", "admin", "king"])),
        "limits": mostly(
            st.dictionaries(st.sampled_from(["sessions", "channels", "messages_per_s"]), mostly(st.integers(0, 9)), max_size=3)
        ),
        "iat": mostly(st.integers(0, 2_000_000_000)),
        "nbf": mostly(st.integers(0, 1_000_000_000)),
        "aud": mostly(st.just("odds")),
        "iss": mostly(st.just("us")),
        "jti": mostly(st.text(max_size=4)),
    },
)


def encode(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


@st.composite
def signed(draw: st.DrawFn) -> bytes:
    """Return a token with a valid signature, whatever its header and its claims are."""
    parts = [draw(mostly(source).map(to_json) | damaged(source.map(to_json))) for source in (headers, claims)]
    content = b".".join(map(encode, parts))
    return content + b"." + encode(hmac.new(SECRET.encode(), content, hashlib.sha256).digest())


async def outcome_of(authenticator: Authenticator, token: str) -> str:
    try:
        access = await authenticator.authenticate(token)
    except Unauthorised as problem:
        str(problem).encode()
        return "not valid"
    expires_ms = None if access.expires_s is None else round(access.expires_s * 1000)
    for encoding in (JSON, MSGPACK):
        encoding.value(Authenticated(None, expires_ms))
    for channel in ("event:e1", "sport:football"):
        access.may_subscribe(channel)
    f"{access.subject} {access.profile}".encode()
    return "granted"


@share(20)
@given(inputs(signed(), corpus("tokens")))
def test_tokens(tokens: list[bytes]) -> None:
    os.environ["ODDSENGINE_FUZZ_SECRET"] = SECRET
    authenticator = Authenticator(
        AuthSettings(keys=(KeySettings(algorithm="HS256", env="ODDSENGINE_FUZZ_SECRET"),)), SessionLimits()
    )
    asyncio.run(try_all(authenticator, tokens))


async def try_all(authenticator: Authenticator, tokens: list[bytes]) -> None:
    for token in tokens:
        # Headers come as text with surrogates for bytes that are not UTF-8, messages as any text.
        text = token.decode(errors="surrogateescape")
        with bounded():
            outcome = await outcome_of(authenticator, text)
        tried["tokens", outcome] += 1


members: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"kty": mostly(st.sampled_from(["RSA", "EC", "oct", "OKP"]))},
    optional=dict.fromkeys(("kid", "alg", "use", "key_ops", "n", "e", "d", "crv", "x", "y", "k", "x5c"), odd),
)
key_sets = st.fixed_dictionaries({"keys": mostly(st.lists(mostly(members), max_size=4))})


@share(5)
@given(inputs(mostly(key_sets).map(to_json), [b'{"keys":[]}']))
def test_published_keys(documents: list[bytes]) -> None:
    for document in documents:
        outcome = "read"
        with bounded():
            try:
                parse_jwks(bytes(document))  # orjson takes no subclass
            except ValueError:
                outcome = "no key set"
        tried["published keys", outcome] += 1


def test_raw_values_are_written_as_they_are() -> None:
    assert b'{"a":\xff}' == to_json({"a": Raw(b"\xff", b"")})
