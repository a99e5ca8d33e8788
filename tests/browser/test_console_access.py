"""The console for everybody: no violation that axe finds, in any view, light or dark; nothing is cut off on a tablet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest

from oddsengine.domain.feed_updates import EventUpdate, MarketUpdate
from tests.browser.conftest import PATIENCE_MS
from tests.support.builders import a_definition, a_quote, an_event, market_updates
from tests.support.service import RunningService, running_service

if TYPE_CHECKING:
    from collections.abc import Sequence

axe_playwright = pytest.importorskip("axe_playwright_python.async_playwright")
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAIR = {
    "events": [
        {"id": "a.1", "name": "Elmstead United v Bramley Town", "sport": "football", "competition": "Cup", "start": None},
        {
            "id": "b.1",
            "name": "Elmstead Utd v Bramley",
            "sport": "football",
            "competition": "Cup",
            "start": "2026-01-01T00:00:00Z",
        },
    ],
    "score": 0.8,
    "reason": "names alike, starts differ",
}
FEED = {
    "feed": "one",
    "sources": ["src"],
    "state": "lagging",
    "reason": "7 s late",
    "since": 1_000,
    "last_received": 2_000,
    "lag_ms": 7_000,
    "failures_in_a_row": 1,
    "breaker": "open",
    "quota": {"used": 1, "remaining": 2},
    "responses": {"count": 3, "mean_ms": 12.0, "p95_ms": 50},
    "counts": {"messages": 7, "failures": 1},
    "changes": [{"at": 1_000, "what": "behind", "state": "lagging", "reason": "7 s late"}],
}
#: what is shown, and the keys that lead there from the board
SHOWN: Sequence[tuple[str, Sequence[str]]] = (
    ("board", ()),
    ("dialog", ("s",)),
    ("event", ("Escape", "Enter")),
    ("result", ("r",)),
    ("trouble", ("Escape", "2")),
    ("commands", ("3",)),
    ("feeds", ("4",)),
    ("keys", ("?",)),
)


#: The cells of rows that are not all to be seen, and the rows that are not right below the one before.
CUT = """() => {
  const boxOf = (node) => node.getBoundingClientRect();
  const cells = [...document.querySelectorAll(".list-body .cell")].filter((cell) => cell.checkVisibility());
  const cut = cells.filter((cell) => cell.scrollWidth > cell.clientWidth || cell.scrollHeight > cell.clientHeight + 1
    || boxOf(cell).right > boxOf(cell.closest(".list")).right || boxOf(cell).bottom > boxOf(cell.closest(".row")).bottom + 1);
  const rows = [...document.querySelectorAll(".view:not([hidden]) .list-body .row")].sort((a, b) => boxOf(a).top - boxOf(b).top);
  const apart = rows.slice(1).filter((row, index) => Math.abs(boxOf(row).top - boxOf(rows[index]).bottom) > 1);
  return [...cut, ...apart].map((node) => node.textContent);
}"""
#: Whether the selected row is all to be seen in its list, if that has any.
IN_SIGHT = """() => {
  const list = document.querySelector(".view:not([hidden]) .list");
  const row = list.querySelector(".row[aria-selected='true']")?.getBoundingClientRect();
  if (!list.querySelector(".list-body .row")) return true;
  const box = list.getBoundingClientRect();
  return row !== undefined && row.top >= box.top && row.bottom <= box.bottom;
}"""
DRAWN = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
SIDES = ("Wolverhampton Wanderers de la Luz", "Borussia Verein f\u00fcr Leibes\u00fcbungen M\u00f6nchengladbach")


async def violations(page: Any, *rules: str) -> list[str]:
    """Return what axe finds, by all of its rules or by some."""
    options: dict[str, Any] = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(axe_playwright.Axe().axe_script)
    found = await page.evaluate("async (options) => (await axe.run(document, options)).violations", options)
    return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in found]


async def fill(service: RunningService) -> None:
    """Offer a market that is open and one that is suspended, with commands, a feed and a pair that need somebody."""
    service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
    total = a_definition("e1/total/ft/2.5", ("over", "under"), type="total", line=2.5)
    service.feed(*market_updates(total, a_quote("over", 2.0), source_id="1.2")[1:])
    service.feed(MarketUpdate("1.2", books=[a_quote("over", 3.0)]))
    await service.wait_published()
    service.engine.describe_feeds = lambda: [FEED]
    service.engine.unmatched = lambda: [PAIR]  # type: ignore[method-assign]
    for body in (
        b'{"action":"limit","scope":{"event":"e1"},"values":500}',
        b'{"action":"note","scope":{"sport":"football"},"reason":"x"}',
    ):
        await service.post("/v1/commands", body, 201)


async def test_no_page_asks_for_what_is_not_there(page: Any) -> None:
    """A browser logs each answer that is an error, which looks like a fault to whoever opens its console."""
    refused: list[str] = []
    logged: list[str] = []
    page.on("response", lambda answer: refused.extend([f"{answer.status} {answer.url}"] if answer.status >= 400 else []))
    page.on("console", lambda message: logged.extend([message.text] if message.type in {"error", "warning"} else []))
    async with running_service() as service:
        await fill(service)
        for path, shown in (
            ("", '[data-event="e1"]'),
            ("/console", '.board [data-event="e1"]'),
            ("/docs", "body"),
            ("/docs/streams", "body"),
        ):
            await page.goto(service.base + path, wait_until="networkidle" if path.startswith("/docs") else "load")
            await page.locator(shown).first.wait_for()
        await page.goto(f"{service.base}/console")
        await page.locator('.board [data-event="e1"][aria-selected="true"]').wait_for()
        for key in ("Enter", "Escape", "2", "3", "4"):
            await page.keyboard.press(key)
        await page.locator(".feeds [data-feed]").wait_for()
    assert ([], []) == (refused, logged)


@pytest.mark.parametrize("width", [390, 820])
async def test_rows_are_as_high_as_their_texts_need(page: Any, width: int) -> None:
    async with running_service() as service:
        await fill(service)
        for number in range(60):
            event = an_event(f"f{number}", participants=SIDES, competition="Liga de las Ciudades del Norte y del Sur")
            service.feed(EventUpdate(msgspec.structs.replace(event, name=" v ".join(SIDES if number % 2 else ("Home", "Away")))))
            market = a_definition(f"f{number}/match_odds")
            service.feed(*market_updates(market, a_quote("home", 2.0), a_quote("away", 2.0), source_id=f"2.{number}")[1:])
        await service.post(
            "/v1/commands", orjson.dumps({"action": "note", "scope": {"event": "f1"}, "reason": "a long reason " * 9}), 201
        )
        await service.wait_published()
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(f"{service.base}/console")
        await page.locator(".count", has_text="61 events").first.wait_for()
        for keys in ((), ("End",), ("PageUp", "PageUp"), ("ArrowDown", "ArrowDown"), ("Home",), ("Enter",), ("2",), ("3",)):
            for key in keys:
                await page.keyboard.press(key)
            for _ in range(3):  # rows find their places within a few frames
                await page.evaluate(DRAWN)
            assert [] == await page.evaluate(CUT), keys
            assert await page.evaluate(IN_SIGHT), keys


async def test_axe_finds_no_violation_in_any_view(page: Any) -> None:
    async with running_service() as service:
        await fill(service)
        await page.set_viewport_size({"width": 820, "height": 1180})
        found: dict[str, list[str]] = {}
        # The same nodes in other colours: only the rules for those can find something else.
        for scheme, rules in (("light", ()), ("dark", ("color-contrast", "link-in-text-block"))):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await page.goto(f"{service.base}/console?{scheme}")
            await page.locator('.board [data-event="e1"][aria-selected="true"]').wait_for()
            for name, keys in SHOWN:
                for key in keys:
                    await page.keyboard.press(key)
                await page.evaluate(DRAWN)
                if name == "trouble":
                    await page.locator(".pair").wait_for(timeout=PATIENCE_MS)
                found[f"{name}, {scheme}"] = await violations(page, *rules)
                assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
            await page.keyboard.press("Escape")
        await page.evaluate("document.querySelector('#sign-out').click()")
        await page.locator("#login").wait_for()
        found["sign-in"] = await violations(page)
        assert [] == [f"{name}: {each}" for name, of_view in found.items() for each in of_view]
