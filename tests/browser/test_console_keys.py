"""Every action of the console by keyboard, seen by a subscriber: made, undone, lifted and confirmed by somebody else."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import pytest_asyncio

from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.commands.settings import CommandSettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token
from tests.support.service import RunningService, Socket, quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

MARKET = "e1/match_odds"
ANN = a_token(sub="ann", role="trader", lasts_s=3600)
BOB = a_token(sub="bob", role="trader", lasts_s=3600)


class Floor:
    """A console at one market, and a subscriber that sees what it does."""

    def __init__(self, service: RunningService, page: Any, socket: Socket) -> None:
        self.service = service
        self.page = page
        self._socket = socket
        self.market: dict[str, Any] = {}
        self._commands: list[dict[str, Any]] = []
        self._awaited: set[str] = set()

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def answer(self, key: str, *typed: str, then: tuple[str, ...] = ("Enter",)) -> None:
        """Press the key of an action, and answer its dialog: what is typed is separated by tabs."""
        await self.press(key)
        await self.page.locator("dialog").wait_for()
        for index, text in enumerate(typed):
            if index:
                await self.press("Tab")
            await self.page.keyboard.type(text)
        await self.press(*then)
        await self.page.locator("dialog").wait_for(state="detached")

    async def seen(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the subscriber sees the market so."""
        while not (self.market and condition(self.market)):
            await self._receive()

    async def command(self, action: str, state: str) -> dict[str, Any]:
        """Wait until the floor is sent a command in a state, another one each time."""
        while True:
            while self._commands:
                each = self._commands.pop(0)
                if (each["action"], each["state"]) == (action, state) and each["id"] not in self._awaited:
                    self._awaited.add(each["id"])
                    return each
            await self._receive()

    async def _receive(self) -> None:
        """Keep what the next message has of either: markets and commands come in any order."""
        message = await self._socket.receive_until("snapshot", "delta")
        self._commands += message.get("commands", [])
        for each in message.get("markets", ()):
            known = self.market.get("selections", {})
            selections = {key: {**known.get(key, {}), **value} for key, value in each.get("selections", {}).items()}
            self.market = {**self.market, **each, "selections": {**known, **selections}}


@asynccontextmanager
async def at_the_market(service: RunningService, page: Any) -> AsyncIterator[Floor]:
    headers = {"Authorization": f"Bearer {ANN}"}
    async with service.socket(additional_headers=headers) as socket:
        await socket.subscribe("event:e1", "console:commands")
        await page.goto(f"{service.base}/console#token={ANN}")
        await page.locator('.board [data-event="e1"][aria-selected="true"]').wait_for()
        floor = Floor(service, page, socket)
        await floor.press("Enter")
        await page.locator(f'.markets [data-market="{MARKET}"][aria-selected="true"]').wait_for()
        yield floor


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service() -> AsyncIterator[RunningService]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONSOLE_TEST_SECRET", SECRET)
        settings = quick_settings(auth=AuthSettings(keys=(KeySettings(algorithm="HS256", env="CONSOLE_TEST_SECRET"),)))
        settings = msgspec.structs.replace(settings, commands=CommandSettings(second_person=("result",), per_s=0))
        async with running_service(settings) as running:
            running.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
            await running.wait_published()
            yield running


def price(market: dict[str, Any], selection: str = "home") -> float | None:
    found: float | None = market["selections"][selection]["price"]
    return found


async def test_what_is_set_reaches_subscribers_and_is_undone(page: Any, service: RunningService) -> None:
    async with at_the_market(service, page) as floor:
        await floor.seen(lambda market: price(market) == 1.9)
        await floor.answer("m", "500")
        await floor.seen(lambda market: market.get("limit") == 500)
        await floor.press("u")
        await floor.seen(lambda market: market["limit"] is None)
        await floor.answer("d", "7", "slow pictures")
        await floor.seen(lambda market: market.get("bet_delay_s") == 7)
        await floor.press("u")
        await floor.seen(lambda market: market["bet_delay_s"] is None)
        await floor.answer("b", "1.2")
        await floor.seen(lambda market: price(market) not in {None, 1.9})
        await floor.press("u")
        await floor.seen(lambda market: price(market) == 1.9)
        await floor.answer("h", "0.1")
        await floor.seen(lambda market: (price(market) or 2) < 1.9)
        await floor.press("u")
        await floor.seen(lambda market: price(market) == 1.9)
        await floor.answer("p", "1.5")
        await floor.seen(lambda market: price(market) == 1.5)
        # The page has it a moment after subscribers.
        await page.locator(".holding", has_text="1.5").wait_for()
        await floor.answer("l")
        await floor.seen(lambda market: price(market) == 1.9)
        # What was lifted is made again.
        await floor.press("u")
        await floor.seen(lambda market: price(market) == 1.5)
        # The page has it a moment after subscribers.
        await page.locator(".holding", has_text="1.5").wait_for()
        await floor.answer("l")
        await floor.answer("n", "late line-ups")
        assert "late line-ups" == (await floor.command("note", "active"))["reason"]
        await page.locator(".holding", has_text="late line-ups").wait_for()


async def test_a_suspension_ends_after_minutes_at_a_time_or_with_the_kick_off(page: Any, service: RunningService) -> None:
    async with at_the_market(service, page) as floor:
        for choice, expires in (("after", 180), ("at the", "kick_off"), ("5", 300)):
            more = ("Tab", "3", "Enter") if choice == "after" else ("Enter",)
            await floor.answer("s", "red card", choice, then=more)
            made = await floor.command("suspend", "active")
            await floor.seen(lambda market: (market["status"], market["reason"]) == ("suspended", "trader"))
            if expires == "kick_off":
                assert "kick_off" == made["expires"]
            else:
                assert made["expires"] > made["created"]
            await floor.press("u")
            await floor.seen(lambda market: market["status"] == "open")
        ends = await page.evaluate(
            """() => import("/console/parts/command_dialog.js").then(({ nextTime }) => ["00:10", "23:50"].map((text) => {
                const at = nextTime(text, new Date(2026, 0, 1, 12, 0));
                return [at.getDate(), at.getHours(), at.getMinutes()];
            }))"""
        )
        assert [[2, 0, 10], [1, 23, 50]] == ends


async def test_everything_is_suspended_after_two_questions(page: Any, service: RunningService) -> None:
    async with at_the_market(service, page) as floor:
        await floor.press("Shift+S")
        await page.locator("dialog", has_text="Suspend everything?").wait_for()
        await floor.press("Enter")
        await page.locator("dialog", has_text="Open markets: 1").wait_for()
        assert "Cancel" == await page.evaluate("document.activeElement.textContent")
        await floor.press("Tab", "Enter")
        await floor.seen(lambda market: market["status"] == "suspended")
        await page.locator("#all-suspended", has_text="Everything is suspended by ann").wait_for()
        await floor.press("1")
        await page.locator(".board .suspended", has_text="all: 1 by traders").wait_for()
        await floor.answer("l")
        await floor.seen(lambda market: market["status"] == "open")


async def test_a_result_is_confirmed_by_somebody_else_and_taken_back(page: Any, browser: Any, service: RunningService) -> None:
    async with at_the_market(service, page) as floor:
        await floor.answer("r", "w", then=("Enter",))
        proposed = await floor.command("result", "proposed")
        assert {"home": "winner"} == proposed["values"]
        await page.locator(".proposal", has_text="somebody else must confirm it").wait_for()
        await floor.press("c")
        await page.locator(".notice.problem", has_text="somebody else must confirm it").wait_for()
        context = await browser.new_context()
        other = await context.new_page()
        await other.goto(f"{service.base}/console#token={BOB}")
        await other.locator('.board [data-event="e1"]').wait_for()
        await other.keyboard.press("2")
        await other.locator(".holding", has_text="Result home winner").wait_for()
        await other.keyboard.press("c")
        assert "Confirm c" == await other.evaluate("document.activeElement.textContent")
        await other.keyboard.press("Enter")
        await floor.seen(lambda market: market["status"] == "closed")
        assert "winner" == floor.market["selections"]["home"]["result"]
        await context.close()
        await floor.answer("t")
        await floor.seen(lambda market: market["status"] != "closed")
