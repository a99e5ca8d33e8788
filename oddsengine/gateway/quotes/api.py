"""The HTTP API of price checks, and of the keys that signed quotes are verified with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web
from msgspec import UNSET

from oddsengine.common.http import error, json_answer
from oddsengine.gateway.access.grants import Role
from oddsengine.gateway.protocol.client_messages import BadMessage, decode_quotes_check
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.protocol.server_messages import QuotesChecked
from oddsengine.gateway.quotes.checker import INVALID, QuoteChecker, quotes_of
from oddsengine.gateway.quotes.signed_quote import sign, to_jwks
from oddsengine.gateway.server.readiness import require_loaded
from oddsengine.gateway.server.rest import allow_parameters, find_market, includes_fair

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.protocol.client_messages import QuotesCheck
    from oddsengine.gateway.protocol.server_messages import QuoteChecked
    from oddsengine.gateway.quotes.checker import Offered, Quote
    from oddsengine.gateway.quotes.keys import QuoteKeys

JWKS_PATH: Final = "/.well-known/jwks.json"
#: To sign or verify one takes some 0.1 ms: after so many others have their turn.
_SIGNED_AT_ONCE: Final = 20
#: So long may verifiers and proxies keep the keys.
_KEYS_MAX_AGE_S: Final = 300


class QuotesApi:
    """Request handlers of price checks.

    Args:
        hub: the replica, and the profile of each client.
        admission: authorises requests.
        keys: what signs quotes, and verifies those that were signed.
        wall_ms: Unix milliseconds, by the world's clock.
    """

    def __init__(self, hub: Hub, admission: Admission, keys: QuoteKeys, wall_ms: Callable[[], int]) -> None:
        self._hub = hub
        self._admission = admission
        self._keys = keys
        self._wall_ms = wall_ms
        self._checker = QuoteChecker(hub.replica, hub.history, hub.staleness.is_current)

    def use(self, keys: QuoteKeys) -> None:
        """Take over other keys."""
        self._keys = keys

    def routes(self) -> list[web.RouteDef]:
        """Return the API's routes."""
        return [web.post("/v1/quotes/check", self.check), web.get(JWKS_PATH, self.published_keys)]

    async def check(self, request: web.Request) -> web.Response:
        """Check for each quote whether a bet on it may be taken now."""
        access = await admitted(self._hub, self._admission, request)
        allow_parameters(request, "include")
        with_fair = includes_fair(request, access)
        keys = self._keys
        keys.refresh()
        try:
            body = decode_quotes_check(await request.read())
            quotes = await _read(body, keys, self._wall_ms() / 1000)
        except BadMessage as problem:
            return error(400, ErrorCode.BAD_REQUEST, str(problem))
        if body.sign and keys.signing is None:
            return error(
                400, ErrorCode.BAD_REQUEST, "sign: this installation signs no quotes: quotes.signing_key_file is not set"
            )
        now_ms, profile = self._hub.now_ms(), self._hub.profile_of(access)
        find = self._market_finder(access)
        answers: list[tuple[QuoteChecked, Offered | None]] = [
            (INVALID, None) if quote is None else self._checker.check(quote, profile, find, now_ms, with_fair=with_fair)
            for quote in quotes
        ]
        if body.sign:
            await self._sign(answers, keys)
        return json_answer(msgspec.json.encode(QuotesChecked([checked for checked, _ in answers])))

    async def published_keys(self, _request: web.Request) -> web.Response:
        """Return the public keys, for anybody."""
        self._keys.refresh()
        headers = {"Cache-Control": f"public, max-age={_KEYS_MAX_AGE_S}"}
        body = msgspec.json.encode(to_jwks(self._keys.public))
        return web.Response(body=body, content_type="application/jwk-set+json", headers=headers)

    def _market_finder(self, access: Access) -> Callable[[str], MarketRecord | None]:
        replica = self._hub.replica
        return lambda market: find_market(replica, market, access)

    async def _sign(self, answers: list[tuple[QuoteChecked, Offered | None]], keys: QuoteKeys) -> None:
        """Sign the current prices. What was decided before is of one moment, however long this takes."""
        signing, kid = keys.signing, keys.kid
        assert signing is not None  # noqa: S101 - checked before
        wall_ms = self._wall_ms()
        to_sign = [
            (checked, quote)
            for checked, offered in answers
            if offered is not None
            and (quote := self._checker.to_sign(checked, offered, wall_ms, keys.settings.signed_ttl_s)) is not None
        ]
        for place, (checked, quote) in enumerate(to_sign, 1):
            checked.signed = sign(quote, signing, kid)
            if not place % _SIGNED_AT_ONCE:
                await asyncio.sleep(0)


async def _read(body: QuotesCheck, keys: QuoteKeys, now_s: float) -> list[Quote | None]:
    """Read the quotes of a request, and verify those that were signed. Raises BadMessage."""
    found: list[Quote | None] = []
    for quote in quotes_of(body, keys.public, now_s):
        found.append(quote)
        if not len(found) % _SIGNED_AT_ONCE and body.quotes[len(found) - 1].signed is not UNSET:
            await asyncio.sleep(0)
    return found


async def admitted(hub: Hub, admission: Admission, request: web.Request) -> Access:
    """Return what the client of a price check may see. Raises RequestRejected if it may not check any, or nothing is loaded."""
    hub.note_http_request()
    require_loaded(hub.replica)
    return await admission.authorise(request, Role.service)
