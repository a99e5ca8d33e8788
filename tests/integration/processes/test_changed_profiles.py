"""Profiles change under subscribers: none sees a price of another profile, or a suspension."""

from __future__ import annotations

from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.service import quick_settings, running_service, wait_until

MARKET = "e1/match_odds"
PATH = "/v1/markets/e1%2Fmatch_odds"


async def test_profiles_are_added_removed_and_reordered_under_subscribers() -> None:
    default, brand = Profile(book_sum=1.05), Profile(book_sum=1.25)
    settings = quick_settings(profiles={"default": default, "brand": brand}, shards=2, profile="brand")
    async with running_service(settings) as service, service.socket() as socket:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        price = (await service.get(PATH))["selections"]["home"]["price"]
        await socket.subscribe(f"market:{MARKET}")
        for profiles in (
            {"brand": brand, "default": default},
            {"new": default, "default": default, "brand": brand},
            {"brand": brand},
        ):
            claims = sum(writer.claims for writer in service.engine.writers)
            service.engine.adopt(Pricer(profiles))
            await wait_until(lambda: sum(writer.claims for writer in service.engine.writers) == claims + 2, "an epoch")  # noqa: B023
            service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
            await service.wait_published()
            assert {tuple(profiles)} == {offer.profiles for offer in service.hub.replica.offers}
            market = await service.get(PATH)
            assert (price, "open") == (market["selections"]["home"]["price"], market["status"])
            explained = await service.get(f"{PATH}/explain")
            assert list(profiles) == list(explained["selections"]["home"]["profiles"])
        # What was sent up to the last change.
        await socket.send(op="ping", id=9)
        seen = []
        while (message := await socket.receive())["op"] != "pong":
            seen += message.get("markets", [])
        assert seen
        assert {("open", price)} == {(market["status"], market["selections"]["home"]["price"]) for market in seen}
