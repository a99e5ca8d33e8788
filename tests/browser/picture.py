"""Take the picture of the console in the documentation: a running match of the demo after some seconds.

`python -m tests.browser.picture docs/images/console.png`, while `make run` is running.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import aiohttp
from playwright.async_api import ViewportSize, async_playwright

from tests.browser.conftest import CHROMIUM, FLAGS

_URL: Final = "http://localhost:8080"
_SIZE: Final = ViewportSize(width=1280, height=960)
#: Prices have moved by then.
_WAIT_MS: Final = 20_000


async def take(file: str, url: str) -> None:
    """Write a picture of the event that began last."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/v1/events?in_play=true") as answer:
        event = max((await answer.json())["events"], key=lambda each: each["start"])["id"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(viewport=_SIZE, color_scheme="light")
        await page.goto(f"{url}/console#event={event}")
        await page.wait_for_timeout(_WAIT_MS)
        await page.screenshot(path=file)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(take(sys.argv[1], *sys.argv[2:] or [_URL]))
