"""The routes for subscribers and bet services: prices, streams, the past and the client's own account."""

from __future__ import annotations

from typing import Final

from oddsengine.gateway.documents import route as p
from oddsengine.gateway.documents.answers import PublishedKeys
from oddsengine.gateway.documents.route import EVENT_STREAM, KEY_SET, Route
from oddsengine.gateway.past.messages import CommandStepsAnswer, ExplanationThenAnswer, MarketChangesAnswer, MarketThenAnswer
from oddsengine.gateway.protocol import server_messages as server
from oddsengine.gateway.protocol.client_messages import QuotesCheck

_UPGRADED: Final = {"101": "The connection is a WebSocket from now on; the AsyncAPI document describes its messages."}

PRICES: Final = (
    Route(
        "get",
        "/v1/events",
        "list_events",
        "prices",
        "List the events on offer.",
        "subscriber",
        server.EventsAnswer,
        parameters=(p.SPORT, p.COMPETITION, p.IN_PLAY),
    ),
    Route(
        "get",
        "/v1/events/{id}",
        "get_event",
        "prices",
        "Return an event with its markets.",
        "subscriber",
        server.EventWithMarkets,
        parameters=(p.EVENT_ID, p.FORMAT),
    ),
    Route(
        "get",
        "/v1/markets/{id}",
        "get_market",
        "prices",
        "Return a market, also one with results that has left the offer.",
        "subscriber",
        server.MarketAnswer,
        parameters=(p.MARKET_ID, p.FORMAT, p.INCLUDE),
    ),
    Route(
        "get",
        "/v1/snapshot",
        "get_snapshot",
        "prices",
        "Return whole channels: one as the body of a snapshot message, several together.",
        "subscriber",
        (server.Snapshot, server.SnapshotsAnswer),
        parameters=(p.CHANNELS, p.FORMAT, p.INCLUDE),
        failures=("404",),
    ),
    Route(
        "post",
        "/v1/quotes/check",
        "check_quotes",
        "prices",
        "Check for each quote whether a bet on it may be taken now.",
        "service",
        server.QuotesChecked,
        parameters=(p.INCLUDE,),
        body=QuotesCheck,
        failures=("413",),
        notes="What a bet service asks before it takes a bet: at the answer's `price`, if the result is `ok`.",
    ),
    Route(
        "get",
        "/.well-known/jwks.json",
        "get_quote_keys",
        "prices",
        "Return the public keys that verify signed quotes.",
        "",
        PublishedKeys,
        media=KEY_SET,
    ),
)
STREAMS: Final = (
    Route(
        "get",
        "/v1/stream",
        "open_stream",
        "streams",
        "Follow channels over a WebSocket: `odds.v1`.",
        "subscriber",
        None,
        parameters=(p.TICKET,),
        successes=_UPGRADED,
        failures=("426",),
    ),
    Route(
        "get",
        "/connection/websocket",
        "open_centrifuge_stream",
        "streams",
        "Follow channels over a WebSocket by Centrifugo's SDKs.",
        "subscriber",
        None,
        parameters=(p.TICKET,),
        successes=_UPGRADED,
        failures=("426",),
    ),
    Route(
        "get",
        "/v1/sse",
        "follow_events",
        "streams",
        "Follow channels as server-sent events.",
        "subscriber",
        str,
        parameters=(p.CHANNELS, p.FORMAT, p.INTERVAL, p.RESUME, p.CONFIRM, p.TICKET, p.LAST_EVENT_ID),
        failures=("404",),
        media=EVENT_STREAM,
        notes="Each message of the stream is the `data` of an event. The body does not end: a client that waits for it waits.",
    ),
    Route(
        "post",
        "/v1/tickets",
        "issue_ticket",
        "streams",
        "Issue a ticket that opens one stream: for URLs, which must hold no token.",
        "subscriber",
        server.TicketAnswer,
        successes={"201": "Use it as `?ticket=`, once."},
    ),
)
HISTORY: Final = (
    Route(
        "get",
        "/v1/history/markets/{id}",
        "get_past_market",
        "history",
        "Return a market as the subscribers of a profile saw it at a time.",
        "service",
        MarketThenAnswer,
        parameters=(p.MARKET_ID, p.AT, p.PROFILE, p.FORMAT, p.INCLUDE),
    ),
    Route(
        "get",
        "/v1/history/markets/{id}/changes",
        "list_market_changes",
        "history",
        "Return how a market has changed, as the subscribers of a profile saw it, page by page.",
        "service",
        MarketChangesAnswer,
        parameters=(
            p.MARKET_ID,
            p.FROM,
            p.TO,
            p.PROFILE,
            p.limit("How many changes a page has at most.", 100),
            p.CURSOR,
            p.FORMAT,
            p.INCLUDE,
        ),
    ),
    Route(
        "get",
        "/v1/history/markets/{id}/explain",
        "explain_past_market",
        "history",
        "Explain how a market's prices of a time were computed.",
        "trader",
        ExplanationThenAnswer,
        parameters=(p.MARKET_ID, p.AT),
    ),
    Route(
        "get",
        "/v1/history/commands",
        "list_command_steps",
        "history",
        "Return what was done about commands, by whom and when, page by page.",
        "trader",
        CommandStepsAnswer,
        parameters=(p.FROM, p.TO, p.AUTHOR, p.limit("How many steps a page has at most.", 100), p.CURSOR),
    ),
)
ACCOUNT: Final = (
    Route(
        "get",
        "/v1/me",
        "get_account",
        "account",
        "Return who the client is, and what its token grants.",
        "subscriber",
        server.AccountAnswer,
    ),
)
