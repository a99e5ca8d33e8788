"""The HTTP API of a gateway, as functions that return the protocol's types."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote, urlencode

import msgspec
import orjson

from oddsengine.client.commands import scope_of
from oddsengine.client.http.decoding import decode
from oddsengine.client.http.quotes import QuoteVerifier
from oddsengine.client.requests import GatewayClient
from oddsengine.gateway.past.messages import CommandStepsAnswer, ExplanationThenAnswer, MarketChangesAnswer, MarketThenAnswer
from oddsengine.gateway.protocol.client_messages import QuotesCheck, QuoteToCheck
from oddsengine.gateway.protocol.command_messages import CommandAnswer, CommandsAnswer
from oddsengine.gateway.protocol.explanation_messages import ExplanationAnswer
from oddsengine.gateway.protocol.server_messages import (
    AccountAnswer,
    EventsAnswer,
    EventWhole,
    EventWithMarkets,
    FeedsAnswer,
    MarketAnswer,
    QuoteChecked,
    QuotesChecked,
    Snapshot,
    TicketAnswer,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.domain.formats import OddsFormat
    from oddsengine.gateway.console.messages import FeedStatus

#: Unix milliseconds, RFC 3339, or a datetime; one without a zone is UTC.
Time: TypeAlias = int | str | datetime


class GatewayApi(GatewayClient):
    """Asks one gateway. Use it as a context manager, or as `OddsClient.api`.

    Every function raises `RequestRefused` if the gateway refuses, `aiohttp.ClientError` or `TimeoutError` if it does not answer
    (a lost connection is tried three times), and `ValueError` if what the function for tokens returned can't be a token.

    Args:
        url: the gateway, as `http://host:port` or `host:port`, or the URL of its stream.
        token: returns the token, at once or as an awaitable; called before the last one expires, and after it was refused. None
            where none is required.
        ssl: the TLS context, as for a private authority; None for the system's certificates.

    Raises:
        ValueError: if the URL is not one of a gateway.
    """

    # -- what is on offer -----------------------------------------------------------------------------------------

    async def events(
        self, *, sport: str | None = None, competition: str | None = None, in_play: bool | None = None
    ) -> list[EventWhole]:
        """Return the events on offer, of all sports and competitions unless one is named."""
        query = _query(sport=sport, competition=competition, in_play=None if in_play is None else str(in_play).lower())
        return decode(await self._get("events", query), EventsAnswer).events

    async def event(self, key: str, *, odds_format: OddsFormat | None = None) -> EventWithMarkets:
        """Return an event with its markets."""
        return decode(await self._get(f"events/{_escaped(key)}", _query(format=odds_format)), EventWithMarkets)

    async def market(self, key: str, *, odds_format: OddsFormat | None = None, include_fair: bool = False) -> MarketAnswer:
        """Return a market, also one with results that has left the offer.

        Args:
            key: its id.
            odds_format: of its prices; None for decimal.
            include_fair: with fair probabilities, for the role `service`.
        """
        query = _query(format=odds_format, include="fair" if include_fair else None)
        return decode(await self._get(f"markets/{_escaped(key)}", query), MarketAnswer)

    async def snapshot(self, channel: str, *, odds_format: OddsFormat | None = None, include_fair: bool = False) -> Snapshot:
        """Return a whole channel; the arguments are those of `market`."""
        query = _query(channel=channel, format=odds_format, include="fair" if include_fair else None)
        return decode(await self._get("snapshot", query), Snapshot)

    async def explain(self, market: str) -> ExplanationAnswer:
        """Return how a market's prices were computed, for the role `trader`."""
        return decode(await self._get(f"markets/{_escaped(market)}/explain"), ExplanationAnswer)

    # -- before a bet ---------------------------------------------------------------------------------------------

    async def check_quotes(
        self,
        quotes: Iterable[QuoteToCheck],
        *,
        accept: Literal["exact", "better", "any"] = "exact",
        tolerance: float = 0.0,
        odds_format: OddsFormat = "decimal",
        sign: bool = False,
        include_fair: bool = False,
    ) -> list[QuoteChecked]:
        """Return for each quote whether a bet on it may be taken now, for the role `service`. docs/protocol.md has the rules.

        Args:
            quotes: at most 1,000. What a quote says itself goes before the next three.
            accept: which current price the bettor accepts.
            tolerance: which share of the quoted odds the current ones may be shorter.
            odds_format: of the quoted prices and those of the answers.
            sign: whether the answers carry their price signed.
            include_fair: whether they have the fair probability.
        """
        check = QuotesCheck(quotes=list(quotes), accept=accept, tolerance=tolerance, format=odds_format, sign=sign)
        path = "quotes/check" + _query(include="fair" if include_fair else None)
        return decode(await self._requests.fetch("POST", path, msgspec.json.encode(check)), QuotesChecked).quotes

    async def quote_verifier(self) -> QuoteVerifier:
        """Return what verifies signed quotes, with the keys that are published now."""
        return QuoteVerifier(await self._requests.fetch_public(".well-known/jwks.json"))

    # -- access ---------------------------------------------------------------------------------------------------

    async def me(self) -> AccountAnswer:
        """Return who the client is, and what its token grants."""
        return decode(await self._get("me"), AccountAnswer)

    async def ticket(self) -> TicketAnswer:
        """Return a ticket that opens one stream as `?ticket=` of its URL, where no header can be set."""
        return decode(await self._requests.fetch("POST", "tickets"), TicketAnswer)

    async def feeds(self) -> list[FeedStatus]:
        """Return the status of every feed, for the role `trader`."""
        return decode(await self._get("feeds"), FeedsAnswer).feeds

    # -- commands -------------------------------------------------------------------------------------------------

    async def command(
        self,
        action: str,
        scope: str,
        *,
        values: Any = None,
        reason: str = "",
        expires: str | float | None = None,
        force: bool = False,
        **narrowed: Any,
    ) -> CommandAnswer:
        """Make a command, for the role `trader`; a lost connection is tried again without a second effect.

        The arguments are those of `CommandClient.make`, as `"suspend", "event:betfair.29283412", types=["match_odds"]`.
        """
        body: dict[str, Any] = {"action": action, "scope": {**scope_of(scope), **narrowed}, "reason": reason, "expires": expires}
        body |= {} if values is None else {"values": values}
        body |= {"force": True} if force else {}
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        return decode(await self._requests.fetch("POST", "commands", orjson.dumps(body), headers), CommandAnswer)

    async def lift(self, command: str) -> CommandAnswer:
        """Lift a command. Lifting it again changes nothing."""
        return decode(await self._requests.fetch("DELETE", f"commands/{_escaped(command)}"), CommandAnswer)

    async def confirm(self, command: str) -> CommandAnswer:
        """Confirm the proposal of somebody else."""
        return decode(await self._requests.fetch("POST", f"commands/{_escaped(command)}/confirm"), CommandAnswer)

    async def commands(self, *, active: bool | None = None, limit: int | None = None, after: str | None = None) -> CommandsAnswer:
        """Return a page of the commands, newest first; with `active` those that hold, or only the others."""
        query = _query(active=None if active is None else str(active).lower(), limit=limit, after=after)
        return decode(await self._get("commands", query), CommandsAnswer)

    # -- the past -------------------------------------------------------------------------------------------------

    async def market_at(
        self,
        market: str,
        at: Time | None = None,
        *,
        profile: str | None = None,
        odds_format: OddsFormat | None = None,
        include_fair: bool = False,
    ) -> MarketThenAnswer:
        """Return a market as the subscribers of a profile saw it at a time, for the role `service`.

        Args:
            market: its id.
            at: the time; None for as late as the history reaches.
            profile: whose prices; None for those that the client sees.
            odds_format: of its prices; None for decimal.
            include_fair: with fair probabilities.
        """
        query = _query(at=_time(at), profile=profile, format=odds_format, include="fair" if include_fair else None)
        return decode(await self._get(f"history/markets/{_escaped(market)}", query), MarketThenAnswer)

    async def market_changes(
        self,
        market: str,
        *,
        from_: Time | None = None,
        to: Time | None = None,
        profile: str | None = None,
        odds_format: OddsFormat | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> MarketChangesAnswer:
        """Return a page of how a market has changed, for the role `service`.

        Args:
            market: its id.
            from_: the beginning; None for that of the history.
            to: the end; None for as late as the history reaches.
            profile: whose prices; None for those that the client sees.
            odds_format: of its prices; None for decimal.
            limit: how many changes the page has at most, 1 to 1,000; None for the gateway's default.
            cursor: the `next` of the page before; None for the first page.
        """
        query = _query(**{"from": _time(from_)}, to=_time(to), profile=profile, format=odds_format, limit=limit, cursor=cursor)
        return decode(await self._get(f"history/markets/{_escaped(market)}/changes", query), MarketChangesAnswer)

    async def explain_at(self, market: str, at: Time | None = None) -> ExplanationThenAnswer:
        """Return how a market's prices of a time were computed, for the role `trader`."""
        path = f"history/markets/{_escaped(market)}/explain"
        return decode(await self._get(path, _query(at=_time(at))), ExplanationThenAnswer)

    async def command_steps(
        self,
        *,
        from_: Time | None = None,
        to: Time | None = None,
        author: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> CommandStepsAnswer:
        """Return a page of what was done about commands, by whom and when, for the role `trader`.

        Args:
            from_: the beginning; None for that of the history.
            to: the end; None for as late as the history reaches.
            author: of the commands; None for all.
            limit: how many steps the page has at most, 1 to 1,000; None for the gateway's default.
            cursor: the `next` of the page before; None for the first page.
        """
        query = _query(**{"from": _time(from_)}, to=_time(to), author=author, limit=limit, cursor=cursor)
        return decode(await self._get("history/commands", query), CommandStepsAnswer)

    async def _get(self, path: str, query: str = "") -> bytes:
        return await self._requests.fetch("GET", path + query)


def _escaped(key: str) -> str:
    return quote(key, safe="")


def _query(**parameters: str | float | None) -> str:
    """Return the query of a URL, without those parameters that are None."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _time(time: Time | None) -> str | int | None:
    return time.isoformat() if isinstance(time, datetime) else time
