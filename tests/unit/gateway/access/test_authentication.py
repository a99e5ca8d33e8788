"""What valid tokens grant, and why other tokens are rejected."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from aiohttp import web
from msgspec.structs import replace
from structlog.testing import capture_logs

from oddsengine.gateway.access.authentication import Authenticator, Unauthorised, UnusableKey
from oddsengine.gateway.access.grants import Role, SessionLimits
from oddsengine.gateway.access.published_keys import KeysUnavailable
from oddsengine.gateway.access.settings import AuthSettings, ClaimNames, KeySettings, OidcSettings
from tests.support.credentials import SECRET, a_token, ec_key, jwks_document, public_pem, rsa_key, write_key

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = SessionLimits(channels=7)


@pytest.fixture
def secret(tmp_path: Path) -> KeySettings:
    return KeySettings(algorithm="HS256", file=write_key(tmp_path / "secret", SECRET))


def authenticator_of(*keys: KeySettings, **settings: Any) -> Authenticator:
    return Authenticator(AuthSettings(keys=keys, **settings), LIMITS)


async def reason(authenticator: Authenticator, token: str) -> str:
    with pytest.raises(Unauthorised) as rejected:
        await authenticator.authenticate(token)
    return str(rejected.value)


async def test_a_valid_token_grants_what_it_claims(secret: KeySettings) -> None:
    token = a_token(profile="gold", channels=["sport:foot*"], role="service", limits={"sessions": 2}, other="ignored")
    access = await authenticator_of(secret).authenticate(token)
    assert ("somebody", "gold", Role.service, 2) == (access.subject, access.profile, access.role, access.limits.sessions)
    assert [True, False] == [access.may_subscribe(channel) for channel in ("sport:football", "sport:tennis")]


@pytest.mark.parametrize(
    ("name", "claims", "role"),
    [
        ("https://floor.example/role", {"https://floor.example/role": "trader"}, Role.trader),
        ("realm_access.roles", {"realm_access": {"roles": ["accounting", "service", "trader"]}}, Role.trader),
        ("roles", {"roles": ["accounting"]}, Role.subscriber),
        ("roles", {"role": "admin"}, Role.subscriber),
        ("a.b", {"a": "admin"}, Role.subscriber),
    ],
)
async def test_claims_are_read_by_the_names_that_the_provider_gives_them(
    secret: KeySettings, name: str, claims: dict[str, Any], role: Role
) -> None:
    access = await authenticator_of(secret, claims=ClaimNames(role=name)).authenticate(a_token(**claims))
    assert role is access.role


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "needs keys"),
        ({"keys": (KeySettings(jwks_url="https://id.example/jwks"),)}, "needs audience"),
    ],
)
def test_an_identity_provider_needs_keys_and_an_audience(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        AuthSettings(oidc=OidcSettings(issuer="https://id.example", client_id="console"), **settings)


async def test_a_token_without_claims_grants_a_subscriber_every_channel(secret: KeySettings) -> None:
    access = await authenticator_of(secret).authenticate(a_token())
    assert (Role.subscriber, None, LIMITS) == (access.role, access.profile, access.limits)
    assert access.may_subscribe("event:any")


async def test_limits_that_a_token_does_not_set_are_the_configured_ones(secret: KeySettings) -> None:
    access = await authenticator_of(secret).authenticate(a_token(limits={"sessions": 2, "messages_per_s": 0.5}))
    assert SessionLimits(sessions=2, channels=7, messages_per_s=0.5) == access.limits
    assert "sessions" in await reason(authenticator_of(secret), a_token(limits={"sessions": -1}))
    assert "sockets" in await reason(authenticator_of(secret), a_token(limits={"sockets": 1}))


async def test_tokens_without_a_subject_are_counted_per_token(secret: KeySettings) -> None:
    authenticator = authenticator_of(secret, anonymous_role="subscriber")
    one, another = a_token(sub=""), a_token(sub="", jti="2")
    first, again, other = [await authenticator.authenticate(token) for token in (one, one, another)]
    assert first.subject == again.subject != other.subject
    of_many = Authenticator(AuthSettings(keys=(secret,), anonymous_role="subscriber"), SessionLimits(sessions=1, channels=7))
    assert of_many.anonymous is not None
    assert LIMITS == of_many.anonymous.limits, "anonymous clients are not counted together"


async def test_expiry_issuer_and_audience(secret: KeySettings) -> None:
    assert "expired" in await reason(authenticator_of(secret), a_token(lasts_s=-60))
    assert await authenticator_of(secret, leeway_s=120).authenticate(a_token(lasts_s=-60))
    strict = authenticator_of(secret, issuer="us", audience="odds")
    assert await strict.authenticate(a_token(iss="us", aud="odds"))
    assert "issuer" in await reason(strict, a_token(iss="them", aud="odds"))
    assert "Audience" in await reason(strict, a_token(iss="us", aud="other"))
    assert "aud" in await reason(strict, a_token(iss="us"))
    unending = jwt.encode({"sub": "x"}, SECRET, "HS256")
    assert "exp" in await reason(authenticator_of(secret), unending)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 10_000, "…", a_token("another secret of more than 32 bytes!!")])
async def test_other_tokens_are_rejected(secret: KeySettings, token: str) -> None:
    authenticator = authenticator_of(secret)
    await reason(authenticator, token)
    assert 1 == authenticator.rejected


async def test_a_claim_of_the_wrong_type_is_named(secret: KeySettings) -> None:
    assert "channels" in await reason(authenticator_of(secret), a_token(channels="all"))
    assert "role" in await reason(authenticator_of(secret), a_token(role="king"))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1e17},
        {"exp": 1e300},
        {"exp": float("inf")},
        {"exp": -1},
        {"sub": "\ud800"},
        {"profile": "\udfff"},
        {"channels": ["event:\ud800"]},
        {"role": "\ud800"},
        {"iat": float("inf")},
        {"nbf": float("nan")},
        {"limits": {"sessions": -1}},
        {"limits": {"\ud800": 1}},
    ],
)
async def test_claims_that_no_text_or_time_can_hold_are_rejected(secret: KeySettings, claims: dict[str, Any]) -> None:
    found = await reason(authenticator_of(secret), a_token(**claims))
    assert found.encode()


async def test_a_token_of_nested_arrays_is_rejected(secret: KeySettings) -> None:
    nested = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 5000).rstrip(b"=").decode()
    await reason(authenticator_of(secret), f"{nested}.e30.e30")


async def test_the_algorithm_none_is_rejected(secret: KeySettings) -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    for algorithm in ("none", "None", "NONE"):
        token = f"{part({'alg': algorithm})}.{part({'exp': 9e9})}."
        assert "no key" in await reason(authenticator_of(secret), token)


async def test_a_public_key_is_not_a_shared_secret(tmp_path: Path) -> None:
    """A token signed with HMAC and the public key as the secret (RFC 8725, section 2.1)."""
    key = rsa_key()
    public = public_pem(key)

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    signed = ".".join((part(b'{"alg":"HS256"}'), part(b'{"exp":9000000000}')))
    forged = f"{signed}.{part(hmac.new(public, signed.encode(), hashlib.sha256).digest())}"
    authenticator = authenticator_of(KeySettings(algorithm="RS256", file=write_key(tmp_path / "public.pem", public)))
    assert "no key" in await reason(authenticator, forged)
    assert await authenticator.authenticate(a_token(key, "RS256"))


async def test_elliptic_keys_and_key_ids(tmp_path: Path) -> None:
    first, second = ec_key(), ec_key()
    authenticator = authenticator_of(
        KeySettings(algorithm="ES256", kid="one", file=write_key(tmp_path / "1", public_pem(first))),
        KeySettings(algorithm="ES256", kid="two", file=write_key(tmp_path / "2", public_pem(second))),
    )
    assert await authenticator.authenticate(a_token(second, "ES256", kid="two"))
    await reason(authenticator, a_token(second, "ES256", kid="one"))
    assert "no key" in await reason(authenticator, a_token(first, "ES256"))


async def test_a_key_file_is_read_again_when_it_changes(tmp_path: Path, secret: KeySettings) -> None:
    authenticator = authenticator_of(secret)
    assert await authenticator.authenticate(a_token())
    other = "the secret that took the other one's place"
    write_key(tmp_path / "secret", other)
    os.utime(tmp_path / "secret", ns=(1, 1))
    assert await authenticator.authenticate(a_token(other))
    await reason(authenticator, a_token())


async def test_a_file_with_the_time_of_the_one_before_is_read_too(tmp_path: Path) -> None:
    """As a link that leads to another file of a reproducible image, where all files have one time."""
    other = "the secret that took the other one's place"
    for name, text in (("before", SECRET), ("after", other)):
        write_key(tmp_path / name, text)
        os.utime(tmp_path / name, ns=(1, 1))
    link = tmp_path / "secret"
    link.symlink_to("before")
    authenticator = authenticator_of(KeySettings(algorithm="HS256", file=str(link)))
    assert await authenticator.authenticate(a_token())
    (tmp_path / "link").symlink_to("after")
    (tmp_path / "link").replace(link)
    assert await authenticator.authenticate(a_token(other))


async def test_a_key_is_kept_while_its_file_cannot_be_used(tmp_path: Path, secret: KeySettings) -> None:
    """As when it is written in place: it is empty, then half of it, then the new key."""
    authenticator = authenticator_of(secret)
    assert await authenticator.authenticate(a_token())
    file = tmp_path / "secret"
    with capture_logs() as logs:
        for text in (b"", b"a half"):
            file.write_bytes(text)
            for _ in range(3):
                assert await authenticator.authenticate(a_token())
        file.unlink()
        file.mkdir()
        assert await authenticator.authenticate(a_token())
    assert ["key unusable, keeping the last one"] * 3 == [line["event"] for line in logs], "once for each version"
    file.rmdir()
    other = "the secret that took the other one's place"
    write_key(file, other)
    assert await authenticator.authenticate(a_token(other))
    await reason(authenticator, a_token())


async def test_an_expired_token_is_one_whichever_keys_there_are(tmp_path: Path) -> None:
    """A client that has slept over a change of keys asks for another token; one with a wrong token gives up."""
    keys = [ec_key(), ec_key(), ec_key()]
    settings = [
        KeySettings(algorithm="ES256", file=write_key(tmp_path / str(number), public_pem(key)))
        for number, key in enumerate(keys[:2])
    ]
    named = [replace(each, kid=str(number)) for number, each in enumerate(settings)]
    for configured in (settings, settings[::-1], named):
        authenticator = authenticator_of(*configured)
        for number, key in enumerate(keys):
            for is_expired in (True, False):
                exp = 1 if is_expired else 9_000_000_000
                if number < len(settings) and not is_expired:
                    assert await authenticator.authenticate(a_token(key, "ES256", kid=str(number), exp=exp))
                    continue
                with pytest.raises(Unauthorised) as refused:
                    await authenticator.authenticate(a_token(key, "ES256", kid=str(number), exp=exp))
                assert is_expired is refused.value.is_expired
                if number < len(settings):
                    assert "Signature has expired" == str(refused.value), "of the key that it was signed with"


async def test_published_keys_are_fetched_and_fetched_again_as_they_rotate() -> None:
    now_s = 0.0
    first, second = rsa_key(), rsa_key()
    document = jwks_document(a=first)

    async def keys(_request: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/keys", keys)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
        settings = AuthSettings(keys=(KeySettings(jwks_url=url),))
        authenticator = Authenticator(settings, LIMITS, clock=lambda: now_s)
        assert await authenticator.authenticate(a_token(first, "RS256", kid="a"))
        document = jwks_document(b=second)
        assert "no key" in await reason(authenticator, a_token(second, "RS256", kid="b")), "not fetched twice in a row"
        now_s = 10.0
        assert await authenticator.authenticate(a_token(second, "RS256", kid="b"))
        assert "no key" in await reason(authenticator, a_token(SECRET, "HS256", kid="b"))
        document = b"nonsense"
        now_s = 20.0
        with pytest.raises(KeysUnavailable):
            await authenticator.authenticate(a_token(first, "RS256", kid="a"))
        assert await authenticator.authenticate(a_token(second, "RS256", kid="b")), "keys fetched before stay valid"
    finally:
        await runner.cleanup()


def test_unusable_keys_are_named_by_validation(tmp_path: Path) -> None:
    short = KeySettings(algorithm="HS256", file=write_key(tmp_path / "short", "short"))
    for key, problem in (
        (short, "under 32 bytes"),
        (KeySettings(algorithm="RS256", file=str(tmp_path / "gone")), "No such file"),
        (KeySettings(algorithm="RS256", file=short.file), "RS256 key"),
        (KeySettings(algorithm="HS256", env="NO_SUCH_VARIABLE"), "NO_SUCH_VARIABLE of a key is not set"),
    ):
        with pytest.raises(UnusableKey, match=problem):
            authenticator_of(key).validate_keys()


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ({"algorithm": "HS256"}, "exactly one of"),
        ({"algorithm": "HS256", "file": "a", "env": "b"}, "exactly one of"),
        ({"file": "a"}, "algorithm is missing"),
        ({"jwks_url": "https://x", "algorithm": "HS256"}, "HS algorithms need a secret"),
    ],
)
def test_contradictory_key_settings_are_rejected(key: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        KeySettings(**key)


def test_anonymous_clients_have_a_role_if_configured_or_without_keys(secret: KeySettings) -> None:
    assert Role.trader == AuthSettings().role_without_token()
    assert AuthSettings(keys=(secret,)).role_without_token() is None
    assert Role.subscriber == AuthSettings(keys=(secret,), anonymous_role="subscriber").role_without_token()
    assert AuthSettings(anonymous_role="").role_without_token() is None
