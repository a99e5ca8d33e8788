"""Frame times of the console in headless Chromium while hundreds of markets move.

A frame that takes long is a key that answers late. Meanwhile the page is used: rows are selected, the board is filtered. Chromium
shares its core with the publisher and Redis; the gateway has its own.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.load.system import System, system_running
from bench.reporting.errors import NotInstalled
from bench.reporting.progress import report_progress
from bench.reporting.row import Row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_EVENTS: Final = 60
_MARKETS: Final = 8
_SECONDS: Final = 10.0
_SETTLED_S: Final = 3.0
_KEY_EVERY_S: Final = 0.15
#: Notes when each frame begins, and every task that keeps the page from answering for over 50 ms.
_RECORD: Final = """
window.recorded = { frames: [], long: [] };
const frame = (at) => { window.recorded.frames.push(at); requestAnimationFrame(frame); };
requestAnimationFrame(frame);
new PerformanceObserver((list) => { for (const each of list.getEntries()) window.recorded.long.push(each.duration); })
  .observe({ type: "longtask", buffered: true });
"""


class _Recorded(NamedTuple):
    """The recorded figures of a page: milliseconds between frames in ascending order, and the durations of long tasks.

    `busy` is the share of the time that its main thread has worked.
    """

    intervals: list[float]
    long_tasks: list[float]
    busy: float = 0.0

    def share(self, share: float) -> float:
        return self.intervals[min(len(self.intervals) - 1, int(share * len(self.intervals)))]


async def _press(page: Any, *keys: str) -> None:
    """Press keys in turn for as long as is measured."""
    ends_s = asyncio.get_running_loop().time() + _SECONDS
    while asyncio.get_running_loop().time() < ends_s:
        for key in keys:
            await page.keyboard.press(key)
            await asyncio.sleep(_KEY_EVERY_S)


async def _filter(page: Any) -> None:
    await page.keyboard.press("/")
    await _press(page, "1", "Backspace", "2", "Backspace")


async def _watch(page: Any) -> None:
    await _press(page, "ArrowDown", "ArrowDown", "ArrowUp")


#: name, where it is, what is done there
_VIEWS: Final[Sequence[tuple[str, str, Callable[[Any], Awaitable[None]]]]] = (
    ("board", "board", _watch),
    ("board, filtered", "board", _filter),
    ("market", "event=e0", _watch),
    ("trouble", "trouble", _watch),
)


async def _recorded(page: Any) -> _Recorded:
    found = await page.evaluate("() => { const was = window.recorded; window.recorded = { frames: [], long: [] }; return was; }")
    frames = found["frames"]
    return _Recorded(sorted(after - before for before, after in pairwise(frames)), found["long"])


def _rows(scenario: str, found: _Recorded, loading: _Recorded) -> list[Row]:
    many, longest = len(found.long_tasks), max(found.long_tasks, default=0.0)
    while_loading = max(loading.long_tasks, default=0.0)
    return [
        Row(scenario=scenario, metric="between frames, p50", value=found.share(0.5), unit="ms"),
        Row(scenario=scenario, metric="between frames, p99", value=found.share(0.99), unit="ms"),
        Row(scenario=scenario, metric="tasks over 50 ms", value=many, unit="", goal=0, met=many == 0),
        Row(scenario=scenario, metric="longest of these", value=longest, unit="ms"),
        Row(scenario=scenario, metric="main thread busy", value=100 * found.busy, unit="%"),
        Row(scenario=scenario, metric="longest task while loading", value=while_loading, unit="ms"),
    ]


async def _worked_s(meter: Any) -> float:
    """Return the CPU time that the main thread of a page has used, in seconds."""
    metrics = (await meter.send("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


async def _measure(system: System, rate: float) -> list[Row]:
    from playwright.async_api import async_playwright  # noqa: PLC0415 - loaded where it is needed

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise NotInstalled("no Chromium on PATH; install one: apt-get install chromium")
    rows: list[Row] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, where, use in _VIEWS:
            report_progress(f"{name} at {rate:,.0f} changes/s")
            page = await browser.new_page(viewport={"width": 1280, "height": 860})
            await page.add_init_script(_RECORD)
            await page.goto(f"http://127.0.0.1:{system.port}/console#{where}")
            await asyncio.sleep(_SETTLED_S)
            loading = await _recorded(page)
            meter = await page.context.new_cdp_session(page)
            await meter.send("Performance.enable", {"timeDomain": "threadTicks"})
            began_s, worked_s = time.monotonic(), await _worked_s(meter)
            await use(page)
            busy = (await _worked_s(meter) - worked_s) / (time.monotonic() - began_s)
            found = (await _recorded(page))._replace(busy=busy)
            await page.close()
            rows += _rows(f"console: {name}", found, loading)
        await browser.close()
    return rows


def run(rate: float) -> list[Row]:
    """Measure each view for some seconds.

    Args:
        rate: changes per second, of all markets alike.
    """
    with system_running(_EVENTS, _MARKETS) as system:
        system.set_rate(rate)
        return asyncio.run(_measure(system, rate))
