"""The routes for traders and operators: commands, explanations, feeds, the sign-in to the console, health and metrics."""

from __future__ import annotations

from typing import Any, Final

from oddsengine.gateway.console.sign_in import CodeRequest, RefreshRequest, SignInAnswer, Tokens
from oddsengine.gateway.documents import route as p
from oddsengine.gateway.documents.answers import CommandBody, HealthAnswer, ReadinessAnswer
from oddsengine.gateway.documents.route import METRICS, Route
from oddsengine.gateway.protocol import server_messages as server
from oddsengine.gateway.protocol.command_messages import CommandAnswer, CommandsAnswer
from oddsengine.gateway.protocol.explanation_messages import ExplanationAnswer

_EVERY_ROLE: Final = ("gateway", "engine", "feeder", "archiver", "bridge")
_ENDED: Final = {"200": "It is published in every shard that it concerns.", "202": "It is not published yet."}
_MADE: Final = {
    "201": "It is published in every shard that it concerns.",
    "202": "It is not published yet, or must be confirmed.",
}

COMMANDS: Final = (
    Route(
        "post",
        "/v1/commands",
        "make_command",
        "commands",
        "Make a command.",
        "trader",
        CommandAnswer,
        parameters=(p.IDEMPOTENCY_KEY,),
        body=CommandBody,
        successes=_MADE,
        failures=("409", "413", "422"),
    ),
    Route(
        "get",
        "/v1/commands",
        "list_commands",
        "commands",
        "List commands, newest first.",
        "trader",
        CommandsAnswer,
        parameters=(p.ACTIVE, p.limit("How many a page has at most.", 250), p.AFTER),
    ),
    Route(
        "delete",
        "/v1/commands/{id}",
        "lift_command",
        "commands",
        "Lift a command.",
        "trader",
        CommandAnswer,
        parameters=(p.COMMAND_ID,),
        successes=_ENDED,
        failures=("409",),
    ),
    Route(
        "post",
        "/v1/commands/{id}/confirm",
        "confirm_command",
        "commands",
        "Confirm the proposal of somebody else.",
        "trader",
        CommandAnswer,
        parameters=(p.COMMAND_ID,),
        successes=_ENDED,
        failures=("409",),
    ),
)
TRADING: Final = (
    Route(
        "get",
        "/v1/markets/{id}/explain",
        "explain_market",
        "trading",
        "Explain how a market's prices were computed.",
        "trader",
        ExplanationAnswer,
        parameters=(p.MARKET_ID,),
        served_by=("gateway", "engine"),
    ),
    Route(
        "get",
        "/v1/feeds",
        "list_feeds",
        "trading",
        "Return the status of every feed, since when, and why.",
        "trader",
        server.FeedsAnswer,
        served_by=("gateway", "engine", "feeder"),
    ),
    Route(
        "get",
        "/v1/unmatched",
        "list_unmatched_events",
        "trading",
        "List pairs of events that may be the same.",
        "trader",
        server.UnmatchedAnswer,
        served_by=("gateway", "engine"),
    ),
    Route(
        "get",
        "/v1/profiles",
        "list_profiles",
        "trading",
        "List the profiles that the client may see and command.",
        "trader",
        server.ProfilesAnswer,
    ),
)
SIGN_IN: Final = (
    Route(
        "get",
        "/console/sign-in",
        "describe_sign_in",
        "account",
        "Return where people sign in to the console: the provider of `auth.oidc`.",
        "",
        SignInAnswer,
        failures=("404", "429", "503"),
    ),
    Route(
        "post",
        "/console/token",
        "exchange_tokens",
        "account",
        "Exchange a code or a refresh token for tokens, at the provider of `auth.oidc`.",
        "",
        Tokens,
        body=CodeRequest | RefreshRequest,
        failures=("401", "403", "404", "429", "503"),
    ),
)
OPERATIONS: Final = (
    Route(
        "get",
        "/healthz",
        "get_health",
        "operations",
        "Answer that the process is up: for restarts.",
        "",
        HealthAnswer,
        served_by=_EVERY_ROLE,
    ),
    Route(
        "get",
        "/readyz",
        "get_readiness",
        "operations",
        "Answer whether the process does its work: for load balancers.",
        "",
        ReadinessAnswer,
        failures=("503",),
        served_by=_EVERY_ROLE,
    ),
    Route(
        "get",
        "/metrics",
        "get_metrics",
        "operations",
        "Return the metrics, for Prometheus.",
        "trader",
        str,
        served_by=_EVERY_ROLE,
        media=METRICS,
        notes="Other roles than a gateway require the role `service`, and none where only their own machine can connect.",
    ),
    Route(
        "get",
        "/docs/openapi.json",
        "get_openapi",
        "operations",
        "Return this document.",
        "",
        dict[str, Any],
        failures=("429",),
    ),
    Route(
        "get",
        "/docs/asyncapi.json",
        "get_asyncapi",
        "operations",
        "Return the AsyncAPI document of the streams.",
        "",
        dict[str, Any],
        failures=("429",),
    ),
)
