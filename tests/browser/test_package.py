"""The npm package's examples in Chromium, on pages of another origin than the gateway's."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import pytest_asyncio
from aiohttp import web

from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.clients.following import PACKAGE
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.programs.npm import needs_npm, npm_install, npm_run
from tests.support.service import RunningService, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


#: Opens two event streams with one ticket. Returns what becomes of each.
_OPEN_TWICE: Final = """async (base) => {
  const { ticket } = await odds.client.fetchTicket();
  const open = () => new Promise((resolve) => {
    const stream = new EventSource(`${base}/v1/sse?channel=event:e1&ticket=${ticket}`);
    const end = (outcome) => { stream.close(); resolve(outcome); };
    stream.onmessage = (event) => end(JSON.parse(event.data).op);
    stream.onerror = () => end("refused");
  });
  return [await open(), await open()];
}"""


@asynccontextmanager
async def shop(built: Path) -> AsyncIterator[str]:
    """Serve the package's folder as a shop would, and what it has built at `/built`. Yield the origin."""
    app = web.Application()
    app.router.add_static("/built", built)
    app.router.add_static("/", PACKAGE)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the shop builds its pages."""
    return tmp_path_factory.mktemp("built")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installation(tmp_path_factory: pytest.TempPathFactory, built: Path) -> AsyncIterator[tuple[str, RunningService]]:
    """A shop, and a service that allows its pages and needs a token."""
    key = KeySettings(algorithm="HS256", file=write_key(tmp_path_factory.mktemp("keys") / "key", SECRET))
    async with (
        shop(built) as origin,
        running_service(quick_settings(auth=AuthSettings(keys=(key,)), allowed_origins=(origin,))) as service,
    ):
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        yield origin, service


def price(page: Any, text: str) -> Any:
    return page.locator('[data-id="e1/match_odds/home"]').filter(has_text=text)


@pytest.mark.parametrize("options", ["transport=sse", "encoding=msgpack"])
async def test_the_plain_page_follows_and_checks_prices(
    page: Any, installation: tuple[str, RunningService], options: str
) -> None:
    origin, service = installation
    service.feed(MarketUpdate("1.1", books=[a_quote("home", 2.0), a_quote("away", 2.0)]))
    await service.wait_published()
    token = a_token(role="service")
    await page.goto(f"{origin}/examples/plain.html?gateway={service.base}&{options}#{token}")
    await price(page, "1.9").wait_for()
    service.feed(MarketUpdate("1.1", books=[a_quote("home", 2.2), a_quote("away", 1.83)]))
    await price(page, "2.08").wait_for()
    quote = '[{ market: "e1/match_odds", selection: "home", price: 2.08 }]'
    assert "ok" == (await page.evaluate(f"odds.client.checkQuotes({quote})"))[0]["result"]
    assert ["welcome", "refused"] == await page.evaluate(_OPEN_TWICE, service.base)
    # Stale at once; the answer to its ping shows that the connection is alive, or there is another one.
    assert 1 == await page.evaluate("(dispatchEvent(new Event('offline')), odds.store.stale.size)")
    await page.wait_for_function("odds.store.stale.size === 0 && odds.client.state === 'live'")
    await page.locator('[data-stale="false"]').first.wait_for()
    assert "live" == await page.locator("#state").inner_text()


async def test_a_page_that_is_not_allowed_is_told_so(page: Any, installation: tuple[str, RunningService]) -> None:
    origin, service = installation
    other = origin.replace("127.0.0.1", "localhost")
    await page.goto(f"{other}/examples/plain.html?gateway={service.base}#{a_token()}")
    await page.locator("#state").filter(has_text="reconnecting (no connection)").wait_for()
    assert 0 == await page.locator("tr").count()


@needs_npm
async def test_the_react_page_subscribes_to_what_it_shows(
    page: Any, installation: tuple[str, RunningService], built: Path, tmp_path: Path
) -> None:
    """Built as its README says: the packed package, React and esbuild from npm, and nothing from elsewhere."""
    origin, service = installation
    shutil.copytree(
        PACKAGE / "examples/react", built, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules", "app.js")
    )
    npm_run(PACKAGE, "pack", "--pack-destination", str(tmp_path))
    (packed,) = tmp_path.glob("*.tgz")
    npm_install(built, str(packed))
    npm_run(built, "run", "build")
    shutil.rmtree(built / "node_modules/oddsengine")
    (built / "node_modules/oddsengine").symlink_to(PACKAGE)
    npm_run(built, "run", "build")  # as from a clone, where npm links the package
    service.feed(MarketUpdate("1.1", books=[a_quote("home", 2.0), a_quote("away", 2.0)]))
    await page.goto(
        f"{origin}/built/index.html?gateway={service.base}&channel=event:e1&format=decimal&format=fractional#{a_token()}"
    )
    await price(page, "1.9").wait_for()
    await price(page, "9/10").wait_for()
    service.feed(MarketUpdate("1.1", books=[a_quote("home", 2.2), a_quote("away", 1.83)]))
    await price(page, "2.08").wait_for()
    await price(page, "27/25").wait_for()
    assert "live: event:e1" == await page.locator("#state").inner_text()
    await page.get_by_role("button", name="Hide").click()
    await page.get_by_role("button", name="Show").wait_for()
    await wait_until(lambda: not any(session.subscriptions for session in service.hub.sessions), "the unsubscription")
    assert 0 == await page.locator("li").count()
    await page.get_by_role("button", name="Show").click()
    await price(page, "2.08").wait_for()
