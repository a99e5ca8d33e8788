"""A channel as lines: one for each change, for people, or one for each message, as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import typer

from oddsengine.cli.selections import in_order

if TYPE_CHECKING:
    from oddsengine.cli.watching.filters import Filter
    from oddsengine.client import OddsState


class Lines:
    """Writes what messages bring to the standard output.

    Args:
        state: what is on offer, after each message.
        shown: what is shown of it.
        as_json: whether to write messages as they are, without what is not shown.
    """

    def __init__(self, state: OddsState, shown: Filter, *, as_json: bool) -> None:
        self._state = state
        self._filter = shown
        self._as_json = as_json
        #: what was known of each market before the message: it may have left
        self._markets: dict[str, dict[str, Any]] = {}

    def write(self, message: dict[str, Any]) -> None:
        """Write what a message brings, if it is shown."""
        if message["op"] not in {"snapshot", "delta", "stale", "live"}:
            return
        shown = [change for change in message.get("markets", ()) if self._is_shown(change)]
        if self._as_json:
            self._write_json(message, shown)
        elif message["op"] in {"stale", "live"}:
            self._write(message.get("since"), f"{message['channel']}: {message['op']}")
        else:
            for change in shown:
                self._write(message.get("ts"), self._described(change))
        self._remember(message)

    def _is_shown(self, change: dict[str, Any]) -> bool:
        market = self._state.markets.get(change["id"]) or self._markets.get(change["id"], {})
        event = self._state.events.get(market.get("event", ""), {})
        return self._filter.shows(market, event) and self._filter.shows_change(change)

    def _remember(self, message: dict[str, Any]) -> None:
        for change in message.get("markets", ()):
            market = self._state.markets.get(change["id"])
            if market is None:
                self._markets.pop(change["id"], None)
            else:
                prices = {key: selection["price"] for key, selection in market["selections"].items()}
                self._markets[change["id"]] = {"event": market["event"], "type": market["type"], "prices": prices}

    def _write_json(self, message: dict[str, Any], shown: list[dict[str, Any]]) -> None:
        if "markets" in message and not shown and message["op"] == "delta":
            return
        content = {**message, "markets": shown} if "markets" in message else message
        typer.echo(orjson.dumps(content).decode())

    def _write(self, ms: int | None, text: str) -> None:
        at = datetime.now(UTC) if ms is None else datetime.fromtimestamp(ms / 1000, UTC)
        typer.echo(f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}  {text}")

    def _described(self, change: dict[str, Any]) -> str:
        key = change["id"]
        if change.get("removed"):
            return f"{key}  left the offer"
        before = self._markets.get(key, {}).get("prices", {})
        event = self._state.events.get(self._state.markets.get(key, {}).get("event", ""), {})
        parts = [key, str(event.get("name", ""))]
        if "status" in change:
            parts.append(f"{change['status']}: {change['reason']}" if change.get("reason") else change["status"])
        known = self._state.markets.get(key, {}).get("selections", {})
        for selection, changed in in_order(change.get("selections", {}), known):
            price, earlier = _price(changed.get("price")), before.get(selection)
            parts.append(f"{selection} {price}" if earlier is None else f"{selection} {_price(earlier)} -> {price}")
        return "  ".join(filter(None, parts))


def _price(price: float | str | None) -> str:
    return "-" if price is None else f"{price:g}" if isinstance(price, float) else str(price)
