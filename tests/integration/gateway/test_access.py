"""Authentication, grants, limits and TLS, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from oddsengine.client import OddsClient
from oddsengine.gateway.access.settings import AuthSettings, KeySettings, LimitSettings
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.runtime.gateway import run_gateway
from oddsengine.runtime.service import run_service
from oddsengine.runtime.timing import Timing
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, Certificates, a_token, write_key
from tests.support.service import PATIENCE_S, RunningService, Socket, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from pathlib import Path

PROFILES = {"default": Profile(book_sum=1.25, ladder="decimal_3"), "gold": Profile(book_sum=1.0, ladder="decimal_3")}


@pytest.fixture
def auth(tmp_path: Path) -> AuthSettings:
    key = KeySettings(algorithm="HS256", file=write_key(tmp_path / "secret", SECRET))
    return AuthSettings(keys=(key,), timeout_s=2.0, leeway_s=0.0)


async def with_a_market(service: RunningService) -> None:
    service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
    await service.wait_published()


def with_token(token: str) -> dict[str, Any]:
    return {"additional_headers": {"Authorization": f"Bearer {token}"}}


async def close_code(socket: Socket) -> int:
    """Read until the socket is closed. Return the close code."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            while True:
                await socket.connection.recv()
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd is not None else 1006


async def home_price(socket: Socket) -> Any:
    await socket.subscribe("event:e1")
    return (await socket.receive_until("snapshot"))["markets"][0]["selections"]["home"]["price"]


async def test_a_token_selects_the_profile_of_the_prices(auth: AuthSettings) -> None:
    async with running_service(quick_settings(auth=auth, profiles=PROFILES)) as service:
        await with_a_market(service)
        async with (
            service.socket(**with_token(a_token(profile="gold"))) as gold,
            service.socket(**with_token(a_token())) as plain,
        ):
            assert (2.0, 1.6) == (await home_price(gold), await home_price(plain))
            service.feed(*market_updates(a_definition(), a_quote("home", 4.0), a_quote("away", 4 / 3)))
            found = [(await each.receive_until("delta"))["markets"][0]["selections"]["home"]["price"] for each in (gold, plain)]
            assert [4.0, 3.2] == found
        headers = {"Authorization": f"Bearer {a_token(profile='gold', role='service')}"}
        async with service.http.get(f"{service.base}/v1/markets/e1%2Fmatch_odds", headers=headers) as response:
            assert 4.0 == (await response.json())["selections"]["home"]["price"]
        body = b'{"quotes":[{"market":"e1/match_odds","selection":"home","price":4.0}]}'
        async with service.http.post(f"{service.base}/v1/quotes/check", data=body, headers=headers) as response:
            assert "ok" == (await response.json())["quotes"][0]["result"]


async def test_a_token_of_an_unpublished_profile_gets_no_prices(auth: AuthSettings) -> None:
    """Not those of another profile: a wrong price is worse than none."""
    async with running_service(quick_settings(auth=auth, profiles=PROFILES)) as service:
        await with_a_market(service)
        token = a_token(profile="platinum", role="service")
        async with service.socket(**with_token(token)) as socket:
            assert await home_price(socket) is None
        body = b'{"quotes":[{"market":"e1/match_odds","selection":"home","price":1.6}]}'
        headers = {"Authorization": f"Bearer {token}"}
        async with service.http.post(f"{service.base}/v1/quotes/check", data=body, headers=headers) as response:
            assert "suspended" == (await response.json())["quotes"][0]["result"]


async def test_a_token_may_be_sent_as_the_first_message(auth: AuthSettings) -> None:
    async with running_service(quick_settings(auth=auth)) as service:
        await with_a_market(service)
        async with service.socket() as socket:
            await socket.send(op="auth", id=1, token=a_token())
            assert 1 == (await socket.receive_until("authenticated"))["id"]
            assert await home_price(socket)


@pytest.mark.parametrize(
    ("message", "code"),
    [(None, 4408), ({"op": "auth", "token": "x"}, 4401), ({"op": "subscribe", "channels": ["event:e1"]}, 4401)],
)
async def test_a_socket_without_a_valid_token_in_time_is_closed(auth: AuthSettings, message: Any, code: int) -> None:
    async with running_service(quick_settings(auth=auth)) as service, service.socket() as socket:
        if message is not None:
            await socket.send(**message)
        assert code == await close_code(socket)


async def test_a_bad_token_in_the_header_is_rejected(auth: AuthSettings) -> None:
    async with running_service(quick_settings(auth=auth)) as service:
        for header in ("Bearer nonsense", "Basic abc"):
            with pytest.raises(InvalidStatus) as refused:
                async with service.socket(additional_headers={"Authorization": header}):
                    pass
            assert 401 == refused.value.response.status_code
        await service.get("/v1/events", 401)
        await service.get("/healthz")


async def test_a_session_ends_when_its_token_expires_unless_it_sends_another(auth: AuthSettings) -> None:
    async with running_service(quick_settings(auth=auth)) as service:
        await with_a_market(service)
        async with (
            service.socket(**with_token(a_token(lasts_s=4.0))) as ending,
            service.socket(**with_token(a_token(lasts_s=4.0))) as lasting,
        ):
            await ending.subscribe("event:e1")
            await lasting.subscribe("event:e1")
            await lasting.send(op="auth", id=2, token=a_token())
            assert 4401 == await close_code(ending)
            await lasting.send(op="ping", id=3)
            await lasting.receive_until("pong")


async def test_a_session_cannot_change_its_profile(auth: AuthSettings) -> None:
    async with running_service(quick_settings(auth=auth, profiles=PROFILES)) as service:
        await with_a_market(service)
        async with service.socket(**with_token(a_token())) as socket:
            await socket.subscribe("event:e1")
            await socket.send(op="auth", token=a_token(profile="gold"))
            assert 4403 == await close_code(socket)


async def test_only_granted_channels_are_available(auth: AuthSettings) -> None:
    async with running_service(quick_settings(auth=auth)) as service:
        await with_a_market(service)
        token = a_token(channels=["event:*"])
        async with service.socket(**with_token(token)) as socket:
            await socket.send(op="subscribe", id=1, channels=["sport:football", "event:e1"])
            assert ("forbidden", 1) == ((refusal := await socket.receive_until("error"))["code"], refusal["id"])
            assert ["event:e1"] == (await socket.receive_until("subscribed"))["channels"]
            await socket.send(op="auth", token=a_token(channels=["sport:tennis"]))
            assert "forbidden" == (await socket.receive_until("error"))["code"]
            assert not service.hub.subscribed_channels
        for channels, status in ((["sport:tennis"], 404), (["sport:football"], 200), (["market:e1/match_odds"], 200)):
            headers = {"Authorization": f"Bearer {a_token(channels=channels)}"}
            async with service.http.get(f"{service.base}/v1/markets/e1%2Fmatch_odds", headers=headers) as response:
                assert status == response.status
            async with service.http.get(f"{service.base}/v1/events", headers=headers) as response:
                assert (channels == ["sport:football"]) == bool((await response.json())["events"])
            async with service.http.get(f"{service.base}/v1/snapshot?channel=competition:cup", headers=headers) as response:
                assert 403 == response.status


@pytest.mark.parametrize(("role", "allowed"), [("subscriber", 1), ("service", 5), ("trader", 6), ("admin", 6)])
async def test_a_role_allows_some_endpoints(auth: AuthSettings, role: str, allowed: int) -> None:
    async with running_service(quick_settings(auth=auth)) as service:
        await with_a_market(service)
        headers = {"Authorization": f"Bearer {a_token(role=role)}"}
        statuses = []
        for method, path in (
            ("GET", "/v1/events"),
            ("POST", "/v1/quotes/check"),
            ("POST", "/v1/quotes/check?include=fair"),
            ("GET", "/v1/markets/e1%2Fmatch_odds?include=fair"),
            ("GET", "/v1/snapshot?channel=event:e1&include=fair"),
            ("GET", "/v1/markets/e1%2Fmatch_odds/explain"),
        ):
            body = b'{"quotes":[{"market":"x","selection":"y","price":2}]}' if method == "POST" else None
            async with service.http.request(method, service.base + path, headers=headers, data=body) as response:
                statuses.append(response.status)
        assert [200] * allowed + [403] * (6 - allowed) == statuses


async def test_an_explanation_shows_the_profile_of_the_token(auth: AuthSettings) -> None:
    expected: tuple[tuple[dict[str, Any], set[str]], ...] = (
        ({"role": "trader", "profile": "gold"}, {"gold"}),
        ({"role": "trader", "profile": "platinum"}, set()),
        ({"role": "trader"}, {"default", "gold"}),
        ({"role": "admin", "profile": "gold"}, {"default", "gold"}),
    )
    async with running_service(quick_settings(auth=auth, profiles=PROFILES)) as service:
        await with_a_market(service)
        for claims, profiles in expected:
            headers = {"authorization": f"bearer {a_token(**claims)}"}
            async with service.http.get(f"{service.base}/v1/markets/e1%2Fmatch_odds/explain", headers=headers) as response:
                explanation = await response.json()
            assert profiles == explanation["profiles"].keys() == explanation["selections"]["home"]["profiles"].keys()


async def test_the_sessions_of_a_token_are_limited(auth: AuthSettings) -> None:
    token = a_token(limits={"sessions": 1})
    async with running_service(quick_settings(auth=auth)) as service, service.socket(**with_token(token)) as first:
        await first.receive_until("welcome")
        async with service.socket(**with_token(token)) as second:
            assert 4429 == await close_code(second)
        async with service.socket(**with_token(a_token(sub="another"))) as other:
            await other.send(op="ping", id=1)
            await other.receive_until("pong")


async def test_the_sessions_of_a_token_are_limited_across_gateways_and_transports(auth: AuthSettings) -> None:
    token = a_token(limits={"sessions": 1})
    settings = quick_settings(auth=auth)
    async with running_service(settings) as service, run_gateway(service.settings, service.settings.redis.url) as another:
        there = f"http://127.0.0.1:{another.port}"
        await wait_until(lambda: another.hub.replica.ready, "readiness of the other gateway")

        async def answer(base: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            async with service.http.get(f"{base}/v1/sse?channel=sport:football", headers=headers) as response:
                return response.status

        async with service.socket(**with_token(token)) as first:
            # The welcome may come before Redis has counted the session; requests are read only once it is counted.
            await first.send(op="ping", id=1)
            await first.receive_until("pong")
            assert (429, 429) == (await answer(service.base), await answer(there))
            async with connect(f"ws://127.0.0.1:{another.port}/v1/stream", **with_token(token)) as second:
                with pytest.raises(ConnectionClosed) as caught:
                    while True:
                        await second.recv()
                assert caught.value.rcvd is not None
                assert 4429 == caught.value.rcvd.code
        async with asyncio.timeout(30):
            while await answer(there) != 200:
                await asyncio.sleep(0.01)


async def test_the_sessions_of_an_address_are_limited_across_gateways() -> None:
    settings = quick_settings(limits=LimitSettings(sessions_per_address=2))
    async with running_service(settings) as service, run_gateway(service.settings, service.settings.redis.url) as another:
        there = f"ws://127.0.0.1:{another.port}/v1/stream"
        await wait_until(lambda: another.hub.replica.ready, "readiness of the other gateway")
        async with service.socket(), connect(there):
            for refusing in (service.socket, lambda: connect(there)):
                with pytest.raises(InvalidStatus) as caught:
                    async with refusing():
                        pass
                assert 429 == caught.value.response.status_code
        await wait_until(lambda: not another.hub.sessions and not service.hub.sessions, "the end of the sessions")
        async with asyncio.timeout(30):
            while True:
                try:
                    async with connect(there):
                        break
                except InvalidStatus:
                    await asyncio.sleep(0.01)


async def test_the_channels_and_messages_of_a_session_are_limited() -> None:
    async with running_service(quick_settings(limits=LimitSettings(channels=1, messages_per_s=2.0))) as service:
        await with_a_market(service)
        async with service.socket() as socket, service.socket() as neighbour:
            await socket.send(op="subscribe", id=1, channels=["sport:football", "event:e1"])
            assert "over_limit" == (await socket.receive_until("error"))["code"]
            for number in range(8):
                await socket.send(op="ping", id=number)
            assert 4429 == await close_code(socket)
            await neighbour.send(op="ping", id=1)
            await neighbour.receive_until("pong")
            assert 2 == service.hub.counters.over_limit


async def test_the_sessions_handshakes_and_requests_of_an_address_are_limited() -> None:
    async def refused(service: RunningService, **options: Any) -> None:
        with pytest.raises(InvalidStatus) as caught:
            async with service.socket(**options):
                pass
        assert 429 == caught.value.response.status_code
        assert int(caught.value.response.headers["Retry-After"]) >= 1

    async with running_service(quick_settings(limits=LimitSettings(sessions_per_address=1))) as service:
        async with service.socket():
            await refused(service)
        await wait_until(lambda: not service.hub.sessions, "the end of the session")
        async with service.socket() as again:
            await again.receive_until("welcome")
    async with running_service(quick_settings(limits=LimitSettings(handshakes_per_s=0.05, requests_per_s=0.05))) as service:
        async with service.socket():
            pass
        await refused(service)
        await service.get("/v1/events")
        async with service.http.get(f"{service.base}/v1/events") as response:
            assert (429, "over_limit") == (response.status, (await response.json())["error"]["code"])
            assert int(response.headers["Retry-After"]) >= 1


async def test_forwarded_addresses_are_accepted_from_trusted_proxies_only() -> None:
    limits = LimitSettings(sessions_per_address=1)
    for proxies, shared in ((("127.0.0.0/8",), False), ((), True)):
        async with (
            running_service(quick_settings(limits=limits, trusted_proxies=proxies)) as service,
            service.socket(additional_headers={"X-Forwarded-For": "1.2.3.4, 5.6.7.8"}),
        ):
            try:
                async with service.socket(additional_headers={"X-Forwarded-For": "1.2.3.4, 5.6.7.9"}) as socket:
                    await socket.receive_until("welcome")
                    assert not shared
            except InvalidStatus:
                assert shared


async def test_only_pages_of_allowed_origins_may_connect() -> None:
    async with running_service(quick_settings(allowed_origins=("https://shop.example",))) as service:
        async with service.socket(origin="https://shop.example") as socket:
            await socket.receive_until("welcome")
        async with service.socket() as no_page:
            await no_page.receive_until("welcome")
        with pytest.raises(InvalidStatus) as refused:
            async with service.socket(origin="https://evil.example"):
                pass
        assert 403 == refused.value.response.status_code


async def test_a_message_that_is_too_long_closes_only_its_own_socket() -> None:
    async with (
        running_service(quick_settings(limits=LimitSettings(message_bytes=1024))) as service,
        service.socket() as socket,
        service.socket() as neighbour,
    ):
        await socket.connection.send("x" * 2000)
        assert 1009 == await close_code(socket)
        assert "Message size 2000 exceeds limit 1024" == socket.connection.close_reason
        await neighbour.send(op="ping", id=1)
        await neighbour.receive_until("pong")


async def test_the_python_client_sends_its_token(auth: AuthSettings) -> None:
    async with running_service(quick_settings(auth=auth, profiles=PROFILES)) as service:
        await with_a_market(service)
        client = OddsClient(service.base, ["sport:football"], token=a_token)
        async with contextlib.aclosing(client.messages()) as messages:
            async for message in messages:
                if message["op"] == "snapshot":
                    break
        assert client.state.markets
        nobody = OddsClient(service.base, ["sport:football"], token=lambda: "rubbish")
        with pytest.raises(ValueError, match="answered 401"):
            await anext(nobody.messages())


async def test_new_connections_get_a_renewed_certificate(tmp_path: Path) -> None:
    """Open sockets stay open. A certificate that can't be loaded is logged and changes nothing."""
    certificates = Certificates(tmp_path)
    served_file = tmp_path / "served.pem"
    served_file.write_bytes(certificates.good.read_bytes())

    async def presented_certificate(port: int) -> bytes:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        del reader
        return ssl.DER_cert_to_PEM_cert(found).encode()

    settings = quick_settings(tls_cert=str(served_file), tls_key=str(served_file))
    async with run_service(settings, ["src"], timing=Timing(certificate_check_s=0.05)) as service:
        await wait_until(lambda: not service.hub.replica.unloaded(), "the snapshot")
        trusted = ssl.create_default_context(cafile=str(certificates.trusted))
        async with connect(f"wss://127.0.0.1:{service.port}/v1/stream", ssl=trusted) as socket:
            assert await presented_certificate(service.port) in certificates.good.read_bytes()
            served_file.write_bytes(b"rubbish")
            await asyncio.sleep(0.2)
            assert await presented_certificate(service.port) in certificates.good.read_bytes()
            served_file.write_bytes(certificates.bad.read_bytes())
            async with asyncio.timeout(30):
                while await presented_certificate(service.port) not in certificates.bad.read_bytes():
                    await asyncio.sleep(0.05)
            await socket.send('{"op":"ping","id":1}')
            async with asyncio.timeout(30):
                while '"pong"' not in str(await socket.recv()):
                    pass
