"""The live page in headless Chromium: moving prices, suspensions, reconnects, filters, login."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from oddsengine.domain.feed_updates import EventUpdate, MarketUpdate, SourceStatus
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from tests.support.builders import a_definition, a_quote, an_event, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.programs.nginx import needs_nginx, nginx
from tests.support.service import RunningService, quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# One event loop for all, since one browser serves all (conftest.py).
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def open_market() -> list[Any]:
    return market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0))


async def wait_price(page: Any, selection: str, text: str) -> None:
    cell = page.locator(f'[data-market="e1/match_odds"] [data-selection="{selection}"] .price')
    await cell.filter(has_text=text).wait_for()


async def open_page(page: Any, service: RunningService, url: str = "") -> None:
    service.feed(*open_market())
    await service.wait_published()
    await page.goto(url or service.base)
    await wait_price(page, "home", "1.90")


@asynccontextmanager
async def token_required(folder: Path) -> AsyncIterator[RunningService]:
    """Run a service with a market for those who have a token."""
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(folder / "key", SECRET)),))
    async with running_service(quick_settings(auth=auth)) as service:
        service.feed(*open_market())
        await service.wait_published()
        yield service


async def test_prices_move_and_flash(page: Any) -> None:
    async with running_service() as service:
        await open_page(page, service)
        service.feed(MarketUpdate("1.1", books=[a_quote("home", 2.2), a_quote("away", 1.83)]))
        await wait_price(page, "home", "2.08")
        assert "up" in await page.locator('[data-selection="home"] .price').get_attribute("class")
        assert "down" in await page.locator('[data-selection="away"] .price').get_attribute("class")
        assert "Live" == await page.locator("#connection-text").inner_text()
        await page.locator("#latency").filter(has_text="ms").wait_for()


async def test_a_suspended_market_is_hatched_and_has_no_prices(page: Any) -> None:
    async with running_service() as service:
        await open_page(page, service)
        service.feed(SourceStatus("down", "cut"))
        await page.locator('[data-market="e1/match_odds"][data-status="suspended"]').wait_for()
        await wait_price(page, "home", "\u2013")
        ground = await page.locator('[data-selection="home"]').evaluate("(node) => getComputedStyle(node).backgroundImage")
        assert ground.startswith("repeating-linear-gradient")
        assert "Source down" in await page.locator(".market-status").inner_text()


async def test_in_play_score_and_clock(page: Any) -> None:
    async with running_service() as service:
        await open_page(page, service)
        service.feed(EventUpdate(an_event("e1", in_play=True, score="2-1", clock="63'")))
        await page.locator(".score", has_text="2-1").wait_for()
        await page.locator(".state", has_text="In play 63'").wait_for()


async def test_the_page_reconnects_after_a_restart_of_the_server(page: Any) -> None:
    import msgspec

    from oddsengine.runtime.settings import GatewaySettings

    settings = quick_settings()
    async with running_service(settings) as service:
        port = service.port
        await open_page(page, service)
        await page.evaluate("window.sameDocument = true")
    await page.locator('#connection[data-state="reconnecting"], #connection[data-state="connecting"]').wait_for()
    again = msgspec.structs.replace(settings, gateway=GatewaySettings(port=port))
    async with running_service(again) as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 3.0), a_quote("away", 1.5)))
        await wait_price(page, "home", "2.84")
        await page.locator('#connection[data-state="live"]').wait_for()
        assert await page.evaluate("window.sameDocument")


async def test_the_page_resumes_after_a_short_disconnect(page: Any) -> None:
    """Only the sockets are closed: the page requests a diff, not a snapshot."""
    async with running_service() as service:
        await open_page(page, service)
        resumed = service.hub.counters.resumed
        for session in list(service.hub.sessions):
            session.transport.abort()
        service.feed(MarketUpdate("1.1", books=[a_quote("home", 2.2), a_quote("away", 1.83)]))
        await wait_price(page, "home", "2.08")
        assert service.hub.counters.resumed > resumed


async def test_competitions_are_filtered_with_the_keyboard(page: Any) -> None:
    async with running_service() as service:
        await open_page(page, service)
        service.feed(
            *market_updates(a_definition("e2/match_odds"), a_quote("home", 3.0), a_quote("away", 1.5), source_id="1.2")[1:],
            EventUpdate(an_event("e2", competition="league")),
        )
        await page.locator('[data-event="e2"]').wait_for()
        await page.locator('button[data-filter="league"]').focus()
        await page.keyboard.press("Enter")
        await page.locator('[data-event="e1"]').wait_for(state="detached")
        assert "true" == await page.locator('button[data-filter="league"]').get_attribute("aria-pressed")
        assert await page.locator('[data-event="e2"]').is_visible()


async def test_the_page_fits_a_phone_in_dark_mode(page: Any) -> None:
    async with running_service() as service:
        await page.set_viewport_size({"width": 360, "height": 740})
        await page.emulate_media(color_scheme="dark")
        await open_page(page, service)
        assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert "rgb(11, 17, 23)" == await page.evaluate("getComputedStyle(document.body).backgroundColor")


async def test_an_event_that_ends_is_removed_from_the_page(page: Any) -> None:
    async with running_service() as service:
        await open_page(page, service)
        service.feed(*market_updates(a_definition(status="closed")))
        await page.locator('[data-market="e1/match_odds"][data-status="closed"]').wait_for()
        pipeline = service.engine.pipeline
        pipeline.retire(0, 10_000, 1)
        pipeline.retire(0, 20_000, 1)
        await page.locator('[data-event="e1"]').wait_for(state="detached")


async def test_a_required_token_is_asked_for_and_kept(page: Any, tmp_path: Path) -> None:
    async with token_required(tmp_path) as service:
        await page.goto(service.base)
        await page.locator("#login").wait_for()
        await page.locator("#token").fill(a_token())
        await page.locator("#login button").click()
        await wait_price(page, "home", "1.90")
        assert not await page.locator("#login").is_visible()
        await page.reload()
        await wait_price(page, "home", "1.90")


async def test_a_token_in_the_link_is_removed_from_the_address(page: Any, tmp_path: Path) -> None:
    async with token_required(tmp_path) as service:
        await page.goto(f"{service.base}/#token={a_token()}")
        await wait_price(page, "home", "1.90")
        assert "token" not in page.url


async def test_only_what_may_be_out_of_date_is_dimmed(page: Any) -> None:
    async with running_service() as service:
        await open_page(page, service)
        service.hub.staleness.went_stale(0)
        await page.locator('#connection[data-state="stale"]').wait_for()
        await page.locator('[data-event="e1"].stale').wait_for()
        assert "0" == await page.locator("#open-markets").inner_text()
        service.hub.staleness.went_live(0)
        await page.locator('#connection[data-state="live"]').wait_for()
        await page.locator('[data-event="e1"]:not(.stale)').wait_for()
        assert "1" == await page.locator("#open-markets").inner_text()


async def test_a_page_that_is_refused_says_so_and_shows_nothing_of_it(page: Any, tmp_path: Path) -> None:
    """A token without the channel: the page is connected, and what it showed before is gone."""
    async with token_required(tmp_path) as service:
        await page.goto(f"{service.base}/#token={a_token()}")
        await wait_price(page, "home", "1.90")
        await page.evaluate("(token) => sessionStorage.setItem('oddsengine.token', token)", a_token(channels=["event:nothing"]))
        for session in list(service.hub.sessions):
            session.transport.abort()
        await page.locator('[data-event="e1"]').wait_for(state="detached")


@needs_nginx
async def test_the_page_works_under_a_path_of_a_proxy(page: Any, tmp_path: Path) -> None:
    location = """location /odds/ { proxy_pass %s/; proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }"""
    async with running_service() as service, nginx(tmp_path, location % service.base) as proxy:
        await open_page(page, service, f"{proxy}/odds/")
