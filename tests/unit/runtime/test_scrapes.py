"""Who may read the metrics: by a token of their own, on a port of their own, and never a stranger behind a proxy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import HttpVersion, HttpVersion10, HttpVersion11
from aiohttp.test_utils import make_mocked_request

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import RequestRejected, error
from oddsengine.runtime.settings.telemetry import MetricsSettings
from oddsengine.runtime.telemetry.scrapes import Scrapes

if TYPE_CHECKING:
    from aiohttp import web

    from oddsengine.common.http import Authorise

PROXIED = {"X-Forwarded-For": "192.0.2.1"}
#: Each is enough to know a proxy by.
SIGNS = (
    *(
        "X-Forwarded-Proto",
        "x-forwarded-host",
        "X-Forwarded-Server",
        "Forwarded",
        "X-Real-IP",
        "Via",
        "X-Original-URL",
        "CDN-Loop",
    ),
    *("True-Client-IP", "X-Envoy-External-Address", "CF-Ray", "X-Amzn-Trace-Id", "X-Azure-Ref", "X-Cluster-Client-IP"),
)
TOKEN = {"Authorization": "Bearer scrape-me"}
CLIENT = {"Authorization": "Bearer of-a-trader"}


async def only_traders(request: web.Request) -> None:
    """Admit traders, and whoever has no token at all, as without keys."""
    if request.headers.get("Authorization", CLIENT["Authorization"]) != CLIENT["Authorization"]:
        raise RequestRejected(error(403, ErrorCode.FORBIDDEN, "no trader"))


async def status(authorise: Authorise, headers: dict[str, str], version: HttpVersion = HttpVersion11) -> int:
    """Return the status of a scrape."""
    try:
        await authorise(make_mocked_request("GET", "/metrics", headers=headers, version=version))
    except RequestRejected as rejected:
        return rejected.response.status
    return 200


@pytest.mark.parametrize(
    ("token", "by_role", "expected"),
    [
        # nothing, of a proxy, with the token, of a trader
        ("", True, [200, 401, 403, 200]),
        ("", False, [200, 401, 200, 200]),
        ("scrape-me", True, [401, 401, 200, 200]),
        ("scrape-me", False, [401, 401, 200, 401]),
    ],
)
async def test_on_the_port_of_a_role(token: str, *, by_role: bool, expected: list[int]) -> None:
    guard = Scrapes(MetricsSettings(), token).guard(only_traders if by_role else None)
    assert expected == [await status(guard, headers) for headers in ({}, PROXIED, TOKEN, CLIENT)]


async def test_whatever_a_proxy_adds_it_is_not_this_machine() -> None:
    guard = Scrapes(MetricsSettings()).guard(None)
    assert {401} == {await status(guard, {sign: "x"}) for sign in SIGNS}
    assert 401 == await status(guard, {}, HttpVersion10), "as nginx sends it by default"
    names = ("localhost:8081", "127.0.0.1", "[::1]:80", "odds.example", "odds.example:8081")
    assert [200, 200, 200, 401, 401] == [await status(guard, {"Host": name}) for name in names]
    of_prometheus = {"Host": "localhost", "User-Agent": "Prometheus/2.53", "X-Prometheus-Scrape-Timeout-Seconds": "10"}
    assert 200 == await status(guard, {**of_prometheus, "Accept": "*/*", "Accept-Encoding": "gzip", "traceparent": "x"})


async def test_a_token_of_bytes_that_are_no_text_is_refused() -> None:
    guard = Scrapes(MetricsSettings(), "scrape-me").guard(None)
    request: Any = SimpleNamespace(headers={"Authorization": "Bearer \udcff"}, version=HttpVersion11)
    with pytest.raises(RequestRejected):
        await guard(request)


async def test_with_a_port_of_their_own_they_are_nowhere_else() -> None:
    guard = Scrapes(MetricsSettings(port=0), "scrape-me").guard(only_traders)
    assert {404} == {await status(guard, headers) for headers in ({}, TOKEN, CLIENT)}
