"""betfairlightweight's market cache: the reference for the state of a recording at any time."""

from __future__ import annotations

import json
from typing import Any

from betfairlightweight.streaming.listener import StreamListener
from betfairlightweight.streaming.stream import MarketStream

RANK = ("availableToBack", "availableToLay")


class _Listener(StreamListener):  # type: ignore[misc]  # the reference has no types
    def _add_stream(self, unique_id: int, operation: str) -> Any:
        return MarketStream(self, unique_id)


class Oracle:
    """Applies messages and dumps its books in the format of `dump_book`."""

    def __init__(self) -> None:
        self._listener = _Listener(max_latency=None, lightweight=True, update_clk=False)
        self._listener.register_stream(0, "marketSubscription")

    def apply(self, line: bytes) -> None:
        message = json.loads(line)
        self._listener.stream._process(message["mc"], message["pt"])

    def dump(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, cache in self._listener.stream._caches.items():
            book = cache.serialise
            found[key] = {
                "status": book["status"].lower(),
                "in_play": book["inplay"],
                "runners": {self._ref(runner): self._runner(runner, cache) for runner in book["runners"]},
            }
        return found

    @staticmethod
    def _ref(runner: dict[str, Any]) -> str:
        return f"{runner['selectionId']}@{runner['handicap']:g}" if runner["handicap"] else str(runner["selectionId"])

    @staticmethod
    def _runner(runner: dict[str, Any], cache: Any) -> dict[str, Any]:
        found = cache.runner_dict[runner["selectionId"], runner["handicap"]]
        sides = []
        for full, best, display in (
            (found.available_to_back, found.best_available_to_back, found.best_display_available_to_back),
            (found.available_to_lay, found.best_available_to_lay, found.best_display_available_to_lay),
        ):
            # The dump's order of preference: full ladder, best offers, display.
            book = full if full.order_book else best if best.order_book else display
            sides.append([[row["price"], row["size"]] for row in book.serialised])
        return {"status": runner["status"].lower(), "back": sides[0], "lay": sides[1], "last": runner["lastPriceTraded"]}
