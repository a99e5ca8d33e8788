"""Which requests are admitted, and how the others are answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp.test_utils import make_mocked_request

from oddsengine.common.http import RequestRejected
from oddsengine.common.tasks import end_tasks
from oddsengine.gateway.access.admission import Admission
from oddsengine.gateway.access.authentication import Authenticator
from oddsengine.gateway.access.grants import Role, SessionLimits
from oddsengine.gateway.access.settings import AuthSettings, KeySettings, LimitSettings
from oddsengine.runtime.parts.access import access_part, build_authenticator
from oddsengine.runtime.settings import GatewaySettings, Settings
from tests.support.credentials import SECRET, a_token, write_key

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from aiohttp import web


def admission_of(auth: AuthSettings | None = None, *, origins: tuple[str, ...] = (), **limits: Any) -> Admission:
    authenticator = Authenticator(auth or AuthSettings(), SessionLimits(sessions=1))
    return Admission(authenticator, LimitSettings(**limits), origins, ["10.0.0.0/8"], lambda: 0.0)


def a_request(remote: str = "192.0.2.1", **headers: str) -> web.Request:
    return make_mocked_request("GET", "/", headers={key.replace("_", "-"): value for key, value in headers.items()}).clone(
        remote=remote
    )


async def rejection(admitting: Coroutine[Any, Any, Any]) -> tuple[int, str, str | None]:
    """The status, the error code and the `Retry-After` of a rejected request."""
    with pytest.raises(RequestRejected) as rejected:
        await admitting
    response = rejected.value.response
    assert isinstance(response.body, bytes)
    return response.status, orjson.loads(response.body)["error"]["code"], response.headers.get("Retry-After")


@pytest.fixture
def keys(tmp_path: Path) -> AuthSettings:
    return AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(tmp_path / "secret", SECRET)),))


async def test_only_allowed_origins_are_admitted() -> None:
    admission = admission_of(origins=("https://shop.example",))
    assert "192.0.2.1" == await admission.admit(a_request(Origin="https://shop.example"), "a")
    assert await admission.admit(a_request(), "b"), "a client that is no browser sends no origin"
    assert await admission.admit(a_request(Origin="https://odds.example", Host="odds.example"), "c"), "the page of the gateway"
    for foreign in ("https://evil.example", "https://odds.example:8443", "null"):
        assert (403, "forbidden", None) == await rejection(admission.admit(a_request(Origin=foreign, Host="odds.example"), "d"))
    assert 3 == admission.rejected_origins


async def test_sessions_are_counted_per_address() -> None:
    admission = admission_of(sessions_per_address=1)
    address = await admission.admit(a_request(), "a")
    assert (429, "over_limit", "5") == await rejection(admission.admit(a_request(), "b"))
    assert 1 == admission.rejected_sessions
    assert await admission.admit(a_request("192.0.2.2"), "c")
    assert await admission.admit(a_request("10.0.0.1", X_Forwarded_For="192.0.2.3"), "d"), "the proxy is not the client"
    admission.leave(address, "a")
    assert await admission.admit(a_request(), "b")


async def test_a_client_over_its_rate_is_told_when_to_retry() -> None:
    admission = admission_of(requests_per_s=0.25)
    await admission.authorise(a_request(), Role.subscriber)
    assert (429, "over_limit", "4") == await rejection(admission.authorise(a_request(), Role.subscriber))
    assert 1 == admission.requests.rejected


async def test_asking_why_a_handshake_failed_is_answered_like_one_and_counts_as_a_request() -> None:
    admission = admission_of(handshakes_per_s=0.25, requests_per_s=1.0)
    await admission.admit(a_request(), "a", is_handshake=False)
    await admission.admit(a_request(), "b")
    assert (429, "over_limit", "4") == await rejection(admission.admit(a_request(), "c", is_handshake=False))
    assert (0, 0) == (admission.handshakes.rejected, admission.requests.rejected)
    assert (429, "over_limit", "1") == await rejection(admission.admit(a_request(), "d", is_handshake=False))


async def test_a_role_includes_the_lower_ones() -> None:
    admission = admission_of(AuthSettings(anonymous_role="service"))
    assert Role.service == (await admission.authorise(a_request(), Role.subscriber)).role
    assert (403, "forbidden", None) == await rejection(admission.authorise(a_request(), Role.trader))


async def test_a_token_is_required_where_anonymous_clients_are_rejected(keys: AuthSettings) -> None:
    admission = admission_of(keys)
    assert await admission.authenticate(a_request()) is None, "a socket may still send one"
    for request in (a_request(), a_request(Authorization="Basic x"), a_request(Authorization="Bearer rubbish")):
        assert (401, "unauthorised", None) == await rejection(admission.authorise(request, Role.subscriber))
    access = await admission.authorise(a_request(Authorization=f"Bearer {a_token(role='trader')}"), Role.trader)
    assert Role.trader == access.role


async def test_sessions_are_counted_per_token_but_not_for_anonymous_clients(keys: AuthSettings) -> None:
    admission = admission_of(keys)
    access = await admission.require_access(a_request(Authorization=f"Bearer {a_token()}"))
    assert await admission.acquire_session(access, "a")
    assert not await admission.acquire_session(access, "b")
    admission.release_session(access, "a")
    assert await admission.acquire_session(access, "b")
    anonymous = await admission_of().require_access(a_request())
    assert [True, True] == [await admission.acquire_session(anonymous, session) for session in "cd"]


@pytest.mark.parametrize(
    ("origins", "headers", "may"),
    [
        ((), {}, True),
        ((), {"Origin": "http://floor.example:8080"}, True),
        ((), {"Origin": "https://elsewhere.example"}, False),
        ((), {"Origin": "null"}, False),
        ((), {"Origin": "https://elsewhere.example", "Authorization": "Bearer x"}, True),
        (("https://elsewhere.example",), {"Origin": "https://elsewhere.example"}, True),
    ],
)
def test_a_foreign_page_makes_no_changes_without_a_token(origins: tuple[str, ...], headers: dict[str, str], *, may: bool) -> None:
    request = a_request(Host="floor.example:8080", **headers)
    if may:
        admission_of(origins=origins).require_own_page(request)
        return
    with pytest.raises(RequestRejected) as rejected:
        admission_of(origins=origins).require_own_page(request)
    assert 403 == rejected.value.response.status


@pytest.mark.parametrize(
    ("host", "headers", "may"),
    [
        ("floor.example:8080", {"Origin": "https://elsewhere.example", "Authorization": ""}, False),
        ("elsewhere.example:8080", {"Origin": "http://elsewhere.example:8080"}, False),
        ("127.0.0.1.elsewhere.example", {"Origin": "http://127.0.0.1.elsewhere.example"}, False),
        ("notlocalhost", {"Origin": "http://notlocalhost"}, False),
        ("localhost:8080", {"Origin": "http://localhost:8080"}, True),
        ("127.0.0.1:8080", {"Origin": "http://127.0.0.1:8080"}, True),
        ("[::1]:8080", {"Origin": "http://[::1]:8080"}, True),
        ("elsewhere.example:8080", {}, True),
    ],
)
async def test_a_foreign_page_is_no_trader_without_a_token(host: str, headers: dict[str, str], *, may: bool) -> None:
    """Neither with an empty header, nor under a name that its owner lets resolve to this machine, nor on a stream."""
    admission = admission_of()
    admission.only_local = True
    access = await admission.require_stream_access(a_request(Host=host, **headers))
    assert (Role.trader if may else Role.service) == access.role
    if may:
        admission.require_own_page(a_request(Host=host, **headers))
    else:
        with pytest.raises(RequestRejected):
            admission.require_own_page(a_request(Host=host, **headers))


def test_strangers_command_only_where_that_was_asked_for() -> None:
    granted = []
    for host, role in (("127.0.0.1", None), ("0.0.0.0", None), ("0.0.0.0", "trader")):
        settings = Settings(gateway=GatewaySettings(host=host), auth=AuthSettings(anonymous_role=role))  # type: ignore[arg-type]
        anonymous = build_authenticator(settings).anonymous
        granted.append(anonymous is not None and bool(anonymous.commands))
    assert [True, False, True] == granted


async def test_other_keys_and_limits_hold_from_the_next_request_on(keys: AuthSettings) -> None:
    admission = admission_of(requests_per_s=1)
    settings = Settings(auth=keys, limits=LimitSettings(sessions=7, channels=3))
    strict = await access_part(admission).prepare(settings)
    await admission.authorise(a_request(), Role.trader)
    strict()
    assert (401, "unauthorised", None) == await rejection(admission.authorise(a_request(), Role.subscriber))
    for _ in range(5):
        access = await admission.authorise(a_request(Authorization=f"Bearer {a_token()}"), Role.subscriber)
    assert (7, 3) == (access.limits.sessions, access.limits.channels)
    (await access_part(admission).prepare(Settings(limits=LimitSettings(requests_per_s=1))))()
    for _ in range(2):
        await admission.authorise(a_request(), Role.trader)
    assert (429, "over_limit", "1") == await rejection(admission.authorise(a_request(), Role.trader))


async def test_a_key_that_can_not_be_used_changes_nothing(tmp_path: Path) -> None:
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=str(tmp_path / "missing")),))
    with pytest.raises(ValueError, match="missing"):
        await access_part(admission_of()).prepare(Settings(auth=auth))


async def test_published_keys_are_renewed_for_the_authenticator_in_use() -> None:
    admission = admission_of()
    renewing = asyncio.create_task(admission.renew_keys())
    await asyncio.sleep(0)
    renewed = asyncio.Event()

    class Renewing(Authenticator):
        async def renew_keys(self) -> None:
            renewed.set()

    admission.use(Renewing(AuthSettings(), SessionLimits()), LimitSettings())
    await asyncio.wait_for(renewed.wait(), 30)
    assert not renewing.done()
    await end_tasks([renewing])
