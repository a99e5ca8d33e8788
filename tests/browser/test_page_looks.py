"""How the live page looks: readable at every moment, nothing cut, sides in order, and plain to see what is not current."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
import pytest_asyncio

from oddsengine.domain.feed_updates import EventUpdate, MarketUpdate, SourceStatus
from tests.support.builders import a_definition, a_quote, an_event
from tests.support.service import RunningService, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

axe_playwright = pytest.importorskip("axe_playwright_python.async_playwright")
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SIDES: Final = ("Wolverhampton de la Luz", "Borussia Mönchengladbach")
NAMES: Final = {"home": SIDES[0], "away": SIDES[1], "draw": "The Draw"}
#: What each event offers, at prices that agree with each other.
MARKETS: Final[tuple[tuple[str, dict[str, Any], dict[str, float]], ...]] = (
    ("match_odds", {}, {"home": 2.65, "away": 3.13, "draw": 3.3}),
    ("asian_handicap/ft/-1.75", {"type": "asian_handicap", "line": -1.75}, {"home": 9.0, "away": 1.125}),
    ("asian_handicap/ft/-0.25", {"type": "asian_handicap", "line": -0.25}, {"home": 2.25, "away": 1.8}),
    ("asian_handicap/ft/0.5", {"type": "asian_handicap", "line": 0.5}, {"home": 1.47, "away": 3.13}),
    ("total/ft/2.5", {"type": "total", "line": 2.5, "status": "suspended"}, {"under": 2.0, "over": 2.0}),
    ("both_to_score", {"type": "both_to_score", "status": "closed"}, {"yes": 2.0, "no": 2.0}),
    ("correct_score", {"type": "correct_score"}, {f"{goals} - 0": 8.0 for goals in range(8)}),
)
MIN_CONTRAST: Final = 4.5
#: Lightness of colours as axe and WCAG 2.2 compute it, and the lowest contrast that a text has with any of its grounds.
_CONTRAST: Final = """
const channels = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (text) => channels(text).slice(0, 3)
  .map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
const isOpaque = (text) => text.startsWith("rgb(");
const groundsOf = (node) => {
  const { backgroundColor, backgroundImage } = getComputedStyle(node);
  const painted = backgroundImage.match(/rgb\\([^)]*\\)/g) ?? [];
  if (painted.length) return painted;
  return isOpaque(backgroundColor) ? [backgroundColor] : groundsOf(node.parentElement);
};
const contrastOf = (node, pseudo) => {
  const { color, opacity, filter, visibility } = getComputedStyle(node, pseudo);
  if (!isOpaque(color) || opacity !== "1" || filter !== "none") return 0;
  return visibility === "hidden" ? 21 : Math.min(...groundsOf(node).map((ground) => ratio(color, ground)));
};
"""
#: The lowest contrast of prices and their marks at each of many moments of a flash, and the grounds that were seen.
_FLASH: Final = (
    "() => {"
    + _CONTRAST
    + """
  const prices = [...document.querySelectorAll('[data-market="e1/match_odds"] .price')];
  prices.forEach((price, index) => {
    price.classList.remove("up", "down");
    void price.offsetWidth;
    price.classList.add(index % 2 ? "up" : "down");
  });
  const running = document.getAnimations().filter((each) => prices.includes(each.effect.target));
  for (const each of running) each.pause();
  let lowest = 21;
  const grounds = new Set();
  for (let ms = 0; ms < 7000; ms += 25) {
    for (const each of running) each.currentTime = ms;
    for (const price of prices) {
      lowest = Math.min(lowest, contrastOf(price), contrastOf(price, "::before"));
      grounds.add(groundsOf(price)[0]);
    }
  }
  return { lowest, grounds: grounds.size, running: running.length };
}"""
)
#: The lowest contrast of anything that has a text of its own.
_ALL: Final = (
    "() => {"
    + _CONTRAST
    + """
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
  const isShown = (node) => hasText(node) && node.checkVisibility() && !node.closest(".skip");
  const shown = [...document.querySelectorAll("body *")].filter(isShown);
  return shown.map((node) => [contrastOf(node), node.outerHTML.slice(0, 120)]).sort((a, b) => a[0] - b[0])[0];
}"""
)
#: What is wider than its box, or than the page, or ends in an ellipsis.
_CUT: Final = """() => [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility()).filter((node) => {
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  const scrolls = node.closest("nav, .skip");
  return style.textOverflow === "ellipsis" || (!scrolls && (box.right > innerWidth + 0.5 || box.left < -0.5))
    || (style.display !== "inline" && !scrolls && node.scrollWidth > node.clientWidth + 1);
}).map((node) => node.outerHTML.slice(0, 160))"""

#: Words of names that are on two lines.
_BROKEN: Final = """() => [...document.querySelectorAll("h3 span, .selection-name span")].flatMap((node) => {
  const range = document.createRange();
  return [...(node.firstChild?.data ?? "").matchAll(/\\S+/g)].filter((word) => {
    range.setStart(node.firstChild, word.index);
    range.setEnd(node.firstChild, word.index + word[0].length);
    return range.getClientRects().length > 1;
  }).map((word) => word[0]);
})"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service() -> AsyncIterator[RunningService]:
    """A match with long names in play, and one that has not begun."""
    async with running_service() as found:
        for event, score in (("e1", "2-1"), ("e2", None)):
            live: dict[str, Any] = {"in_play": score is not None}
            found.feed(EventUpdate(an_event(event, sport="esports", participants=SIDES, score=score, **live)))
            for market, kind, odds in MARKETS:
                definition = a_definition(f"{event}/{market}", tuple(odds), **kind, **live)
                selections = tuple(
                    msgspec.structs.replace(each, name=NAMES.get(each.key, each.name)) for each in definition.selections
                )
                definition = msgspec.structs.replace(definition, selections=selections)
                found.feed(MarketUpdate(f"{event}/{market}", True, definition, [a_quote(*each) for each in odds.items()]))
        await found.wait_published()
        yield found


async def show(page: Any, service: RunningService, scheme: str, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    await page.emulate_media(color_scheme=scheme)
    await page.goto(service.base)
    await page.locator('[data-event="e2"] .market').nth(5).wait_for()
    await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


async def violations(page: Any, *rules: str) -> list[str]:
    """Return what axe finds, by all of its rules or by some."""
    options: dict[str, Any] = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    await page.evaluate(axe_playwright.Axe().axe_script)
    found = await page.evaluate("async (options) => (await axe.run(document, options)).violations", options)
    return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in found]


# Beyond colours, what axe finds does not depend on them.
@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
async def test_everything_is_readable_and_nothing_is_cut(
    page: Any, service: RunningService, scheme: str, rules: tuple[str, ...]
) -> None:
    await show(page, service, scheme, 1280)
    for width in (1280, 390):
        await page.set_viewport_size({"width": width, "height": 900})
        assert [] == await page.evaluate(_CUT)
        assert [] == await page.evaluate(_BROKEN)
        lowest, where = await page.evaluate(_ALL)
        assert lowest >= MIN_CONTRAST, where
    flash = await page.evaluate(_FLASH)
    assert flash["lowest"] >= MIN_CONTRAST
    assert (6, True) == (flash["running"], flash["grounds"] > 50), "both directions were seen at many moments"
    assert [] == await violations(page, *rules)


async def test_sides_are_in_order_and_lines_beside_their_side(page: Any, service: RunningService) -> None:
    await show(page, service, "light", 1280)
    sides = page.locator('[data-market="e1/match_odds"] [data-selection]')
    assert ["home", "draw", "away"] == await sides.evaluate_all("(all) => all.map((each) => each.dataset.selection)")
    places = await sides.evaluate_all("(all) => all.map((each) => each.getBoundingClientRect().left)")
    assert sorted(places) == places
    names = page.locator('[data-market^="e1/asian_handicap"] .selection-name')
    assert [
        f"{SIDES[0]} -1.75",
        f"{SIDES[1]} +1.75",
        f"{SIDES[0]} -0.25",
        f"{SIDES[1]} +0.25",
        f"{SIDES[0]} +0.5",
        f"{SIDES[1]} -0.5",
    ] == await names.all_inner_texts()
    assert f"{SIDES[0]} 2-1 {SIDES[1]}" == " ".join((await page.locator('[data-event="e1"] h3').inner_text()).split())
    assert ["e1", "e2"] == await page.locator("[data-event]").evaluate_all("(all) => all.map((each) => each.dataset.event)")


async def test_what_is_not_current_is_plain_to_see(page: Any, service: RunningService) -> None:
    await show(page, service, "light", 390)
    warning = page.locator("#warning")
    assert not await warning.is_visible()
    service.hub.staleness.went_stale(0)
    try:
        await page.locator('[data-event="e1"].stale').wait_for()
        assert "All prices may be out of date: nothing has arrived of them since" in await warning.inner_text()
        assert (await page.title()).startswith("⚠")
        assert (await page.evaluate(_ALL))[0] >= MIN_CONTRAST
        box = await warning.bounding_box()
        assert (0, 390) == (box["x"], box["width"])
        assert [] == await page.evaluate(_CUT)
    finally:
        service.hub.staleness.went_live(0)
    await warning.wait_for(state="hidden")
    # From here on nobody lets the page connect: it goes on showing what it had, as not current.
    await page.route("**/v1/**", lambda route: route.abort())
    await page.context.set_offline(True)
    for session in list(service.hub.sessions):
        session.transport.abort()
    await warning.filter(has_text="No connection since").wait_for()
    assert "No price below is current" in await warning.inner_text()
    assert await page.locator('[data-event="e1"].stale').is_visible()
    await page.emulate_media(color_scheme="dark")
    assert (await page.evaluate(_ALL))[0] >= MIN_CONTRAST
    await page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert await warning.evaluate("(node) => node.getBoundingClientRect().top >= 0"), "it stays in sight"


async def test_a_price_flashes_once_and_not_when_it_is_gone(page: Any, service: RunningService) -> None:
    await show(page, service, "light", 1280)
    home = page.locator('[data-market="e1/match_odds"] [data-selection="home"] .price')
    service.feed(MarketUpdate("e1/match_odds", books=[a_quote("home", 2.75), a_quote("draw", 3.15)]))
    moved = page.locator('[data-market="e1/match_odds"] .price:is(.up, .down)')
    await moved.first.wait_for()
    # All is drawn again: its nodes are put into the page anew, which would start their animations.
    await page.locator('button[data-filter=""]').click()
    await moved.first.wait_for(state="detached")
    service.feed(MarketUpdate("e1/match_odds", books=[a_quote("home", 2.65), a_quote("draw", 3.3)]))
    await moved.first.wait_for()
    service.feed(SourceStatus("down", "cut"))
    try:
        await home.filter(has_text="\u2013").wait_for()
        assert "price" == await home.get_attribute("class")
    finally:
        service.feed(SourceStatus("live", "test"))
