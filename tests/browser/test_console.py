"""The console in headless Chromium: commands by keyboard, seen by a subscriber; the market view; signing in."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.history.settings import HistorySettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import PATIENCE_S, RunningService, quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oddsengine.runtime.settings import Settings

# One event loop for all, since one browser serves all (conftest.py).
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ROW = '.board [data-event="e1"]'


@asynccontextmanager
async def a_floor(settings: Settings | None = None) -> AsyncIterator[RunningService]:
    """Run a service with one open market."""
    async with running_service(settings) as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        yield service


async def test_a_market_is_explained_priced_and_undone(page: Any) -> None:
    async with a_floor() as service:
        await page.goto(f"{service.base}/console")
        await page.locator(f'{ROW}[aria-selected="true"]').wait_for()
        await page.keyboard.press("Enter")
        home = page.locator('.detail [data-selection="home"]')
        # Prices come over the stream, what sources say a moment later.
        await home.filter(has_text="1.98 / 2.02").wait_for()
        assert "1.90" == await home.locator(".price").inner_text()
        assert "src (prices it)" in await page.locator(".detail thead").inner_text()
        assert "Margin" in await page.locator(".detail tfoot").inner_text()
        await page.keyboard.press("p")
        await page.locator("dialog").wait_for()
        await page.keyboard.type("1.5")
        await page.keyboard.press("Enter")
        await home.locator(".price", has_text="1.50").wait_for()
        await page.locator(".holding", has_text="Price home 1.5 by anonymous").wait_for()
        await page.locator("dialog").wait_for(state="detached")
        await page.keyboard.press("u")
        await home.locator(".price", has_text="1.90").wait_for()


async def test_a_trader_signs_in_with_a_token(page: Any, tmp_path: Path) -> None:
    """The page is served to everybody; what it shows and does is not."""
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(tmp_path / "key", SECRET)),))
    async with a_floor(quick_settings(auth=auth)) as service:
        await page.goto(f"{service.base}/console")
        await page.locator("#login").wait_for()
        await page.locator("#token").fill(a_token())
        await page.keyboard.press("Enter")
        await page.locator("#login-problem", has_text="requires the role trader, not subscriber").wait_for()
        await page.locator("#token").fill(a_token(sub="ann", role="trader"))
        await page.keyboard.press("Enter")
        await page.locator(ROW).wait_for()
        await page.locator("#person", has_text="ann (trader)").wait_for()


def the_past(query: dict[str, str]) -> dict[str, Any]:
    """What a history answers of a market whose price was 1.7, and 1.8 from the middle of each time that is asked for."""
    at = datetime.now(UTC) - timedelta(days=2)
    if "to" in query:
        at = datetime.fromtimestamp((int(query["from"]) + int(query["to"])) / 2000, UTC)
    selection = {"name": "Home", "price": 1.7, "status": "active", "order": 0}
    whole = {"id": "e1/match_odds", "event": "e1", "status": "open", "reason": None, "v": 1, "selections": {"home": selection}}
    if "at" in query:
        return {"at": query["at"], "since": at.isoformat(), "since_is_exact": False, "stale": False, "market": whole}
    change = {"id": "e1/match_odds", "v": 2, "selections": {"home": {"price": 1.8}}}
    return {"before": whole, "changes": [{"at": at.isoformat(), "position": "0-1-2", "market": change}], "gaps": []}


async def until_steps(page: Any, count: int) -> None:
    """Wait until the first line of the chart has so many steps."""
    async with asyncio.timeout(PATIENCE_S):
        while (await page.locator(".chart .line0:not(.fair)").get_attribute("d")).count("H") < count:
            await asyncio.sleep(0.02)


async def test_a_time_of_hours_ago_is_chosen_by_keyboard(page: Any) -> None:
    """The chart begins before the console was opened, as early as is asked for, and what subscribers saw then is said."""
    asked: list[str] = []

    async def answer(route: Any) -> None:
        asked.append(route.request.url)
        await route.fulfill(json=the_past(dict(parse_qsl(urlsplit(route.request.url).query))))

    await page.route("**/v1/history/**", answer)
    # The console asks only where there is a history; what this one has is answered above.
    settings = msgspec.structs.replace(quick_settings(), history=HistorySettings(url="postgresql://127.0.0.1:1/none"))
    async with a_floor(settings) as service:
        await page.goto(f"{service.base}/console")
        await page.locator(f'{ROW}[aria-selected="true"]').wait_for()
        await page.keyboard.press("Enter")
        slider = page.get_by_role("slider", name="Time", exact=True)
        await slider.wait_for()
        # Two steps before the present one, over an hour.
        await until_steps(page, 3)
        await slider.focus()
        await page.keyboard.press("PageDown")
        await page.locator(".then", has_text="Open, since").filter(has_text="or before").filter(has_text="Home 1.70").wait_for()
        assert 1 == await page.locator(".chart .mark").count()
        assert "e1%2Fmatch_odds?at=" in asked[-1]
        axe = pytest.importorskip("axe_playwright_python.async_playwright")
        await page.evaluate(axe.Axe().axe_script)
        assert [] == await page.evaluate("async () => (await axe.run('.past')).violations.map(({ help }) => help)")
        await page.keyboard.press("End")
        await page.locator(".chart .mark").wait_for(state="detached")
        assert "" == await page.locator(".then").inner_text()
        # The slider and the chart have the same six hours, in which the price went up and down twelve times.
        await page.get_by_label("Time span").select_option("6 hours")
        await page.locator("h4", has_text="last 6 hours").wait_for()
        await until_steps(page, 24)
        await slider.focus()
        for _ in range(5):
            await page.keyboard.press("PageDown")
        await page.locator(".then", has_text="Home 1.70").wait_for()
        hours = (datetime.now(UTC).timestamp() - int(parse_qsl(urlsplit(asked[-1]).query)[0][1]) / 1000) / 3600
        assert 2.9 < hours < 3.1
        boxes = "['.mark', '.line0'].map((each) => document.querySelector(`.chart ${each}`).getBBox())"
        mark, line = await page.evaluate(f"{boxes}.map(({{ x, width }}) => ({{ x, width }}))")
        assert 0.45 < (mark["x"] - line["x"]) / line["width"] < 0.55
