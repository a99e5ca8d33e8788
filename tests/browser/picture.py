"""Take the pictures of the documentation, and look at the pages in other sizes and colours, while `make run` is running.

`python -m tests.browser.picture docs/images/page.png`, `python -m tests.browser.picture docs/images/console.png --view console`.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Final

import aiohttp
from playwright.async_api import ViewportSize, async_playwright

from tests.browser.conftest import CHROMIUM, FLAGS

#: Prices have moved by then.
_WAIT_MS: Final = {"page": 8_000, "console": 20_000}
_HEIGHT: Final = {"page": 1000, "console": 960}


async def address_of(view: str, url: str) -> str:
    """Return the address of a view; of the console's that of the event that began last."""
    if view == "page":
        return url
    async with aiohttp.ClientSession() as http, http.get(f"{url}/v1/events?in_play=true") as answer:
        event = max((await answer.json())["events"], key=lambda each: each["start"])["id"]
    return f"{url}/console#event={event}"


async def take(asked: argparse.Namespace) -> None:
    """Write a picture of what a visitor sees."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        size = ViewportSize(width=asked.width, height=asked.height or _HEIGHT[asked.view])
        page = await browser.new_page(viewport=size, color_scheme="dark" if asked.dark else "light")
        await page.goto(await address_of(asked.view, asked.url))
        await page.wait_for_timeout(_WAIT_MS[asked.view])
        await page.screenshot(path=asked.file, full_page=asked.whole)
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--view", choices=("page", "console"), default="page")
    parser.add_argument("--url", default="http://localhost:8080")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--whole", action="store_true", help="the whole page, not only what is visible at first")
    asyncio.run(take(parser.parse_args()))
