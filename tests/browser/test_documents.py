"""The pages of documents: requests and messages are tried on them, on a phone, behind a proxy's path, from no other host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.documents.requests import offer_the_example
from tests.support.programs.nginx import needs_nginx, nginx
from tests.support.service import quick_settings, running_service

if TYPE_CHECKING:
    from pathlib import Path

axe_playwright = pytest.importorskip("axe_playwright_python.async_playwright")
pytest.importorskip("aiohttp_swagger3")
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_LIVE = """async () => {
    const { withLiveExamples } = await import("./live_examples.js");
    const events = [{ id: "sim.9", start: null }, { id: "sim.7", start: "2026-11-26T20:00:00Z" },
        { id: "sim.0", start: "2026-11-27T20:00:00Z" }];
    const answers = { "/v1/events": { events }, "/v1/events/sim.0": { markets: [] },
        "/v1/events/sim.7": { markets: [{ id: "sim.7/moneyline" }, { id: "sim.7/match_odds" }] } };
    globalThis.fetch = async (path) => new Response(JSON.stringify(answers[path]));
    const document = { parameters: ["betfair.29283412", "betfair.29283412/match_odds", "event:betfair.29283412"] };
    return (await withLiveExamples(document, "/")).parameters;
}"""
_LOCATION = """location /odds/ { proxy_pass %s/; proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }"""


async def violations(page: Any) -> list[str]:
    """Return what axe finds in our own markup, without that of Swagger UI."""
    await page.evaluate(axe_playwright.Axe().axe_script)
    found = await page.evaluate("async () => (await axe.run({ exclude: ['#swagger-ui > *'] })).violations")
    return [f"{each['id']}: {[node['html'][:100] for node in each['nodes'][:3]]}" for each in found]


async def fits(page: Any) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@needs_nginx
async def test_requests_and_messages_are_tried_on_a_phone_below_a_path(page: Any, tmp_path: Path) -> None:
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(tmp_path / "key", SECRET)),))
    hosts: set[str] = set()
    problems: list[str] = []
    page.on("request", lambda request: hosts.add(request.url.partition("//")[2].partition("/")[0]))
    # Without a token nobody says what is on offer: the examples stay the documents' own.
    ignored = "401"
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" and ignored not in said.text else None)
    await page.set_viewport_size({"width": 390, "height": 800})
    async with running_service(quick_settings(auth=auth)) as service, nginx(tmp_path, _LOCATION % service.base) as proxy:
        await offer_the_example(service)
        await page.goto(f"{proxy}/odds/docs")
        operation = page.locator("#operations-prices-get_market")
        await operation.locator(".opblock-summary-control").click()
        assert await fits(page)
        assert [] == await violations(page)
        await page.locator(".auth-wrapper .authorize").click()
        await page.locator(".auth-container input").fill(a_token(role="admin"))
        await page.locator(".auth-btn-wrapper .authorize").click()
        await page.locator(".auth-btn-wrapper .btn-done").click()
        await operation.locator(".try-out__btn").click()
        await operation.locator(".execute").click()
        answer = operation.locator(".live-responses-table")
        await answer.locator(".response-col_status", has_text="200").wait_for()
        assert "Ashbourne Vale" in await answer.inner_text()
        assert await fits(page)

        await page.goto(f"{proxy}/odds/docs/streams")
        await page.locator("#token").fill(a_token(role="admin"))
        await page.locator("#toggle").click()
        await page.locator("#log .received", has_text="authenticated").wait_for()
        await page.locator("#submit").click()
        await page.locator("#log .received", has_text="snapshot").wait_for()
        await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert await fits(page)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            assert [] == await violations(page), scheme
        assert ["sim.7", "sim.7/match_odds", "event:sim.7"] == await page.evaluate(_LIVE), "examples that can be tried here"
        assert {proxy.partition("//")[2]} == hosts
        assert [] == problems
