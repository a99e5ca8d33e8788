"""Price checks: which prices are accepted, formats, and quotes that are signed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from oddsengine.domain.feed_updates import SourceStatus
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.quotes.settings import QuoteSettings
from oddsengine.gateway.quotes.signed_quote import SignedQuote, from_jwks, read_signed, sign, thumbprint
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import RunningService, quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MARKET = "e1/match_odds"
KEY = Ed25519PrivateKey.generate()


@pytest_asyncio.fixture
async def service(tmp_path: Path) -> AsyncIterator[RunningService]:
    """A service that signs quotes, with two brands."""
    file = tmp_path / "quotes.pem"
    file.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    tokens = KeySettings(algorithm="HS256", file=write_key(tmp_path / "secret", SECRET))
    profiles = {"default": Profile(), "gold": Profile(book_sum=1.2)}
    settings = quick_settings(auth=AuthSettings(keys=(tokens,), anonymous_role="trader"), profiles=profiles)
    settings = msgspec.structs.replace(settings, quotes=QuoteSettings(signing_key_file=str(file)))
    async with running_service(settings) as found:
        found.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await found.wait_published()
        yield found


async def check(service: RunningService, *quotes: dict[str, Any], token: str = "", **options: Any) -> list[dict[str, Any]]:
    """Check quotes, of home in the only market unless they say another. Return the answers."""
    asked = [each if "signed" in each else {"market": MARKET, "selection": "home", **each} for each in quotes]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = orjson.dumps({"quotes": asked, **options})
    async with service.http.post(f"{service.base}/v1/quotes/check", data=body, headers=headers) as response:
        assert 200 == response.status, await response.text()
        found: list[dict[str, Any]] = (await response.json())["quotes"]
        return found


def results(answers: list[dict[str, Any]]) -> list[str]:
    return [answer["result"] for answer in answers]


async def test_what_a_bettor_accepts_decides_and_the_current_price_is_what_the_bet_is_taken_at(service: RunningService) -> None:
    prices: list[dict[str, Any]] = [{"price": price} for price in (1.8, 1.9, 1.95, 2.5)]
    assert ["price_changed", "ok", "price_changed", "price_changed"] == results(await check(service, *prices))
    better = await check(service, *prices, accept="better")
    assert ["ok", "ok", "price_changed", "price_changed"] == results(better)
    assert {1.9} == {answer["price"] for answer in better}
    assert ["ok", "ok", "ok", "price_changed"] == results(await check(service, *prices, accept="better", tolerance=0.03))
    assert ["ok"] * 4 == results(await check(service, *prices, accept="any"))
    of_its_own = await check(service, {"price": 1.8, "accept": "exact"}, {"price": 1.95, "tolerance": 0.1}, accept="better")
    assert ["price_changed", "ok"] == results(of_its_own)
    service.feed(SourceStatus("down", "cut"))
    await service.wait_published()
    assert ["suspended"] * 4 == results(await check(service, *prices, accept="any", tolerance=1.0, sign=True))
    service.hub.replica.stale_since[0] = 1
    assert ["stale"] * 4 == results(await check(service, *prices, accept="any", tolerance=1.0))


async def test_prices_are_in_the_format_that_the_bettor_was_shown(service: RunningService) -> None:
    shown = {"fractional": "9/10", "american": -111, "hong_kong": 0.9, "malay": 0.9, "percent": 52.631578947, "decimal": 1.9}
    for odds_format, price in shown.items():
        (answer,) = await check(service, {"price": price}, format=odds_format)
        assert ("ok", price) == (answer["result"], answer["price"]), odds_format
    mixed = await check(service, {"price": "1/1", "format": "fractional"}, {"price": 1.9})
    assert [("price_changed", "9/10"), ("ok", 1.9)] == [(answer["result"], answer["price"]) for answer in mixed]
    for quote in ({"price": 1.9, "format": "fractional"}, {"price": "1.9"}, {"price": 2.5, "format": "roman"}):
        body = orjson.dumps({"quotes": [{"market": MARKET, "selection": "home", **quote}]})
        assert "quotes[0]" in (await service.post("/v1/quotes/check", body, 400))["error"]["message"]


async def test_a_signed_quote_can_be_verified_by_anybody_and_checked_later(service: RunningService) -> None:
    (answer,) = await check(service, {"price": 1.8}, sign=True)
    published = from_jwks(await service.get("/.well-known/jwks.json"))
    quote = read_signed(answer["signed"], published)
    now_s = time.time()
    assert (MARKET, "home", None, 1.9, answer["v"], "default") == (
        *(quote.market, quote.selection, quote.line, quote.price),
        *(quote.v, quote.profile),
    )
    assert abs(quote.ts / 1000 - now_s) < 30
    assert 60 == quote.exp - quote.iat
    assert quote.at
    later = await check(service, {"signed": answer["signed"]}, {"signed": answer["signed"][:-4] + "AAAA"}, {"price": 1.9})
    assert ["ok", "invalid", "ok"] == results(later)
    assert ("", None) == (later[1]["market"], later[1]["price"])
    gold = a_token(role="service", profile="gold")
    assert ["invalid"] == results(await check(service, {"signed": answer["signed"]}, token=gold)), "another brand's price"
    (of_gold,) = await check(service, {"price": 1.9}, token=gold, sign=True)
    assert ("gold", of_gold["price"]) == ((signed := read_signed(of_gold["signed"], published)).profile, signed.price)
    kid = thumbprint(KEY.public_key())
    longer, expired = (
        sign(SignedQuote(**{**msgspec.to_builtins(quote), **changes}), KEY, kid)
        for changes in ({"price": 2.4}, {"exp": int(now_s) - 1})
    )
    for accept, expected in (("exact", "price_changed"), ("any", "ok")):
        assert [expected, "expired"] == results(await check(service, {"signed": longer}, {"signed": expired}, accept=accept))
    service.feed(*market_updates(a_definition(), a_quote("home", 2.5), a_quote("away", 5 / 3)))
    await service.wait_published()
    assert ["price_changed"] == results(await check(service, {"signed": answer["signed"]}))
    assert ["ok"] == results(await check(service, {"signed": answer["signed"]}, accept="better"))
    service.feed(SourceStatus("down", "cut"))
    await service.wait_published()
    assert ["suspended", "suspended"] == results(await check(service, {"signed": longer}, {"signed": expired}, accept="any"))
    unsigned = await check(service, {"price": 1.9}, sign=True)
    assert "signed" not in unsigned[0]


async def test_without_a_key_signing_is_refused() -> None:
    async with running_service() as service:
        body = orjson.dumps({"quotes": [{"market": MARKET, "selection": "home", "price": 2.0}], "sign": True})
        assert "signs no quotes" in (await service.post("/v1/quotes/check", body, 400))["error"]["message"]
        assert {"keys": []} == await service.get("/.well-known/jwks.json")
