"""The npm package: its own tests, what it packs, and what only it can do, in front of a real gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from oddsengine.domain.feed_updates import MarketUpdate
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.clients.following import PACKAGE, Options, running_node, wait_view
from tests.support.clients.following import JavaScriptFollower as Follower
from tests.support.clients.front import Answer, front_of
from tests.support.programs.npm import needs_npm, npm_run
from tests.support.service import running_service

if TYPE_CHECKING:
    from tests.support.clients.following import View


@needs_npm
def test_its_own_tests_pass_and_it_packs_what_it_exports() -> None:
    npm_run(PACKAGE, "test")
    (packed,) = json.loads(npm_run(PACKAGE, "pack", "--dry-run", "--json"))
    files = {each["path"] for each in packed["files"]}
    manifest = json.loads((PACKAGE / "package.json").read_text())
    for export in manifest["exports"].values():
        assert {path.removeprefix("./") for path in export.values()} <= files
    assert not [path for path in files if path.startswith("test")]
    assert {f"src/{path.name}" for path in (PACKAGE / "src").iterdir()} <= files
    assert {"README.md", "LICENSE", "examples/plain.html", "examples/react/app.jsx", "examples/react/package.json"} <= files
    assert not [path for path in files if "node_modules" in path or path.endswith("app.js") or "lock" in path]
    assert not {"dependencies", "bundledDependencies"} & manifest.keys()


def price_of(view: View) -> Any:
    market = view.markets.get("e1/match_odds")
    return None if market is None else market["selections"]["home"]["price"]


@pytest.mark.parametrize("more", [{"transport": "sse"}, {"encoding": "msgpack"}, {}], ids=["sse", "msgpack", "blocked"])
async def test_it_follows_recovers_and_leaves_over_every_transport(more: dict[str, str]) -> None:
    async with running_service() as service, running_node() as node:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        # The last one finds WebSockets blocked by a proxy that answers plain requests.
        steps = [Answer(426)] * (0 if more else 2)
        async with front_of(service.base, *steps) as front:
            url = service.base if more else front.url
            client = Follower(node, 1)
            await client.start(Options(url, ["event:e1", "event:none"], more=more))
            view = await wait_view(client, lambda view: price_of(view) == 1.9 and "event:none" in view.refused)
            assert view.connected
            service.feed(MarketUpdate("1.1", books=[a_quote("home", 2.2), a_quote("away", 1.83)]))
            await wait_view(client, lambda view: price_of(view) == 2.08)
            for session in list(service.hub.sessions):
                service.hub.end(session, 1011, "fault")
            service.feed(MarketUpdate("1.1", books=[a_quote("home", 2.0), a_quote("away", 2.0)]))
            await wait_view(client, lambda view: price_of(view) == 1.9 and not view.stale)
            await node.ask("subscribe", client=1, channels=["sport:football"], options={"format": "fractional"})
            await node.ask("unsubscribe", client=1, channels=["event:e1", "event:none"])
            await wait_view(client, lambda view: price_of(view) == "9/10" and not view.refused)
            await node.ask("unsubscribe", client=1, channels="sport:football")
            assert not (await client.view()).markets
            quotes = [{"market": "e1/match_odds", "selection": "home", "price": 1.9}]
            if more:
                assert "ok" == (await node.ask("quotes", client=1, quotes=quotes))[0]["result"]
            await client.stop()
