"""What HTTP clients negotiate: gzip, entity tags, an upgrade, and several channels in one request."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import orjson
import pytest
import pytest_asyncio
from aiohttp import hdrs

from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.gateway.http.conditional import accepts_gzip
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.programs.curl import curl, needs_curl
from tests.support.service import RunningService, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVENT: Final = "/v1/snapshot?channel=event:e1"
FIXED: Final = ("/", "/app.js", "/console", "/style.css", "/docs", "/docs/openapi.json")
LIVE: Final = (EVENT, "/v1/events", "/v1/events/e1", "/v1/markets/e1%2Fmatch_odds", "/v1/me")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[RunningService]:
    async with running_service() as found:
        for event in ("e1", "e2"):
            updates = market_updates(
                a_definition(f"{event}/match_odds"), a_quote("home", 2.0), a_quote("away", 2.0), source_id=event
            )
            found.feed(*updates)
        for line in range(12):
            total = a_definition(f"e2/total/ft/{line}.5", ("over", "under"), type="total", line=line + 0.5)
            found.feed(MarketUpdate(f"t{line}", True, total, [a_quote("over", 2.0), a_quote("under", 2.0)]))
        await found.wait_published()
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(service: RunningService) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that shows what was sent, byte for byte, and accepts only what a request says."""
    async with aiohttp.ClientSession(service.base, auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as found:
        yield found


async def ask(http: aiohttp.ClientSession, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.request(method, path, headers=sent) as response:
        return response.status, response.headers, await response.read()


def vary(headers: Any) -> set[str]:
    return {each.strip() for each in headers.get(hdrs.VARY, "").split(",")}


@pytest.mark.parametrize("path", [*FIXED, *LIVE])
async def test_answers_have_a_tag_and_are_compressed_if_asked_for(http: aiohttp.ClientSession, path: str) -> None:
    status, plain, body = await ask(http, path)
    assert (200, None, str(len(body))) == (status, plain.get(hdrs.CONTENT_ENCODING), plain[hdrs.CONTENT_LENGTH])
    varies = {"Accept-Encoding"} if path in FIXED else {"Accept-Encoding", "Authorization"}
    assert ("no-cache", varies) == (plain[hdrs.CACHE_CONTROL], vary(plain))
    status, packed, compressed = await ask(http, path, Accept_Encoding="br;q=1.0, gzip;q=0.5")
    assert (200, plain[hdrs.ETAG], varies) == (status, packed[hdrs.ETAG], vary(packed))
    if len(body) >= 1024:
        assert ("gzip", str(len(compressed))) == (packed[hdrs.CONTENT_ENCODING], packed[hdrs.CONTENT_LENGTH])
        assert 2 * len(compressed) < len(body)
        compressed = gzip.decompress(compressed)
    assert path.startswith("/v1") or body == compressed
    for known in (plain[hdrs.ETAG], f'"other", {plain[hdrs.ETAG]}', plain[hdrs.ETAG].removeprefix("W/"), "*"):
        status, headers, rest = await ask(http, path, If_None_Match=known, Accept_Encoding="gzip")
        assert (304, b"") == (status, rest), known
        assert (plain[hdrs.ETAG], "no-cache", varies) == (headers[hdrs.ETAG], headers[hdrs.CACHE_CONTROL], vary(headers))
        assert not {hdrs.CONTENT_ENCODING, hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH} & set(headers)
    assert 200 == (await ask(http, path, If_None_Match='"other"'))[0]
    status, head, rest = await ask(http, path, "HEAD")
    assert (200, plain[hdrs.ETAG], b"") == (status, head[hdrs.ETAG], rest)


async def test_a_tag_of_a_snapshot_changes_with_its_content_only(service: RunningService, http: aiohttp.ClientSession) -> None:
    _, before, body = await ask(http, EVENT)
    at = orjson.loads(body)["at"]
    service.feed(MarketUpdate("e2", books=[a_quote("home", 2.2), a_quote("away", 1.83)]))
    await service.wait_published()
    _, headers, body = await ask(http, EVENT)
    assert at != orjson.loads(body)["at"], "the position has moved"
    assert before[hdrs.ETAG] == headers[hdrs.ETAG]
    assert 304 == (await ask(http, EVENT, If_None_Match=before[hdrs.ETAG]))[0]
    assert before[hdrs.ETAG] != (await ask(http, EVENT + "&format=fractional"))[1][hdrs.ETAG]
    service.feed(MarketUpdate("e1", books=[a_quote("home", 2.2), a_quote("away", 1.83)]))
    await service.wait_published()
    status, headers, body = await ask(http, EVENT, If_None_Match=before[hdrs.ETAG])
    assert (200, True) == (status, headers[hdrs.ETAG] != before[hdrs.ETAG])
    assert 2.08 == orjson.loads(body)["markets"][0]["selections"]["home"]["price"]


async def test_errors_and_streams_have_neither(http: aiohttp.ClientSession) -> None:
    for path in ("/v1/markets/none", "/v1/snapshot", "/nothing"):
        status, headers, _ = await ask(http, path, Accept_Encoding="gzip", If_None_Match="*")
        assert status in {400, 404}
        assert not {hdrs.ETAG, hdrs.CONTENT_ENCODING} & set(headers)
    async with http.get("/v1/sse?channel=event:e1", headers={"Accept-Encoding": "gzip", "If-None-Match": "*"}) as stream:
        assert 200 == stream.status
        assert not {hdrs.ETAG, hdrs.CONTENT_ENCODING} & set(stream.headers)
        assert b"data:" in await stream.content.readany()


async def test_the_client_that_most_have_reads_what_is_compressed(service: RunningService) -> None:
    """The session's defaults: it accepts gzip and unpacks it."""
    async with service.http.get(service.base + "/v1/snapshot?channel=event:e2") as response:
        assert "gzip" == response.headers[hdrs.CONTENT_ENCODING]
        assert 13 == len((await response.json())["markets"])


async def test_several_channels_come_in_one_answer(service: RunningService, http: aiohttp.ClientSession) -> None:
    channels = ["event:e2", "market:e1/match_odds", "event:none", "nonsense", "event:e2", "sport:football"]
    path = "/v1/snapshot?" + "&".join(f"channel={channel}" for channel in channels)
    status, headers, body = await ask(http, path)
    answer = orjson.loads(body)
    assert 200 == status
    assert ["event:e2", "market:e1/match_odds", "sport:football"] == [each["channel"] for each in answer["snapshots"]]
    assert [13, 1, 14] == [len(each["markets"]) for each in answer["snapshots"]]
    assert [("event:none", "unknown_channel"), ("nonsense", "unknown_channel")] == [
        (each["channel"], each["code"]) for each in answer["errors"]
    ]
    single = await service.get("/v1/snapshot?channel=event:e2")
    assert {**single, "at": ""} == {**answer["snapshots"][0], "at": ""}
    assert 304 == (await ask(http, path, If_None_Match=headers[hdrs.ETAG]))[0]
    async with service.socket() as socket:
        assert (await socket.subscribe("event:e2", resume=answer["snapshots"][0]["at"]))["resumed"]
    too_many = "&".join(f"channel=event:{number}" for number in range(101))
    assert "at most 100" in (await service.get(f"/v1/snapshot?{too_many}", 400))["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/stream", "/connection/websocket"])
@needs_curl
async def test_a_socket_without_an_upgrade_is_answered_with_426(service: RunningService, path: str) -> None:
    """RFC 9110, section 15.5.22: the answer must say to what."""
    async with service.http.get(service.base + path) as response:
        assert (426, "websocket", "upgrade") == (
            response.status,
            response.headers[hdrs.UPGRADE],
            response.headers[hdrs.CONNECTION].lower(),
        )
        assert "bad_request" == (await response.json())["error"]["code"]
    code, text = await curl("-i", service.base + path)
    assert (0, True, True) == (code, "426 Upgrade Required" in text.splitlines()[0], "Upgrade: websocket" in text)


@needs_curl
async def test_curl_unpacks_and_revalidates(service: RunningService, tmp_path: Path) -> None:
    url, tag = service.base + "/docs/openapi.json", str(tmp_path / "tag")
    code, text = await curl("--compressed", "--etag-save", tag, "-w", "\n%{http_code} %{size_download}", url)
    document, _, figures = text.rpartition("\n")
    status, size = figures.split()
    assert (0, "200", True) == (code, status, 2 * int(size) < len(document))
    assert "3.1.0" == orjson.loads(document)["openapi"]
    code, text = await curl("--compressed", "--etag-compare", tag, "-w", "%{http_code}", url)
    assert (0, "304") == (code, text)


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip", True),
        ("deflate, GZip;q=0.3", True),
        ("*", True),
        ("x-gzip", True),
        ("", False),
        ("identity, br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
    ],
)
async def test_gzip_is_sent_to_those_who_accept_it(accepted: str, expected: bool) -> None:
    assert expected == accepts_gzip([accepted])
    assert expected == accepts_gzip(accepted.split(","))
