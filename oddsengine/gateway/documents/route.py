"""A row of the table of routes, and the parameters that several routes have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from oddsengine.domain.formats import FORMATS

#: The media types of answers.
JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"
METRICS: Final = "text/plain"
KEY_SET: Final = "application/jwk-set+json"

#: What the examples are about.
EVENT: Final = "betfair.29283412"
MARKET: Final = f"{EVENT}/match_odds"
#: 20:15 on a match day.
_WHEN: Final = "2026-11-26T20:15:00Z"


class Parameter(NamedTuple):
    """A parameter of a route: in its path, its query or its headers."""

    name: str
    where: str
    text: str
    schema: Mapping[str, Any]
    #: None if a request as the documents show it has none
    example: Any = None
    required: bool = False


class Route(NamedTuple):
    """A route of the API.

    Attributes:
        method: in small letters.
        path: as OpenAPI writes it.
        name: the id of the operation, from which generated clients name their functions.
        tag: the group that it is shown in.
        summary: a sentence.
        role: the role that it requires; empty if it requires no token.
        answer: the type of its answer, several if it has one of them; None if it has no JSON schema.
        parameters: its parameters.
        body: the type of its body; None if it takes none.
        successes: the statuses of success, and what they mean.
        failures: statuses of errors beside those that follow from the rest.
        served_by: the roles whose port has it.
        media: the media type of its answer.
        notes: more than the summary says.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    role: str
    answer: Any
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    successes: Mapping[str, str] = MappingProxyType({"200": "Success."})
    failures: tuple[str, ...] = ()
    served_by: tuple[str, ...] = ("gateway",)
    media: str = JSON
    notes: str = ""


_TEXT: Final = {"type": "string"}
_BOOLEAN: Final = {"type": "boolean"}
_TIME: Final = {"oneOf": [{"type": "integer"}, {"type": "string", "format": "date-time"}]}
_FORMATS: Final = {"type": "string", "enum": [*FORMATS], "default": "decimal"}


def limit(text: str, default: int) -> Parameter:
    """Return the parameter for how many of something an answer has."""
    return Parameter("limit", "query", text, {"type": "integer", "minimum": 1, "maximum": 1000, "default": default}, 10)


FORMAT: Final = Parameter("format", "query", "The odds format of prices.", _FORMATS, "decimal")
EVENT_ID: Final = Parameter("id", "path", "An event's id.", _TEXT, EVENT, required=True)
MARKET_ID: Final = Parameter("id", "path", "A market's id; its `/` may be percent-encoded.", _TEXT, MARKET, required=True)
COMMAND_ID: Final = Parameter("id", "path", "A command's id.", _TEXT, "c1a219ce175c7d2bdb0a", required=True)
CHANNELS: Final = Parameter(
    "channel",
    "query",
    "`sport:<key>`, `competition:<id>`, `event:<id>` or `market:<id>`; may be repeated.",
    {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 100},
    ["sport:football"],
    required=True,
)
SPORT: Final = Parameter("sport", "query", "Only events of this sport.", _TEXT, "football")
COMPETITION: Final = Parameter("competition", "query", "Only events of the competition with this id.", _TEXT)
IN_PLAY: Final = Parameter("in_play", "query", "Only events that are in play, or only those that are not.", _BOOLEAN)
RESUME: Final = Parameter("resume", "query", "The last `at` received on the channels.", _TEXT)
CONFIRM: Final = Parameter("confirm", "query", "Whether `live` (or `stale`) follows once everything missed was sent.", _BOOLEAN)
TICKET: Final = Parameter("ticket", "query", "A ticket of `POST /v1/tickets`, in place of a token.", _TEXT)
LAST_EVENT_ID: Final = Parameter(
    "Last-Event-ID", "header", "The `id` of the last event of a single channel: it resumes, as `resume` does.", _TEXT
)
INTERVAL: Final = Parameter(
    "min_interval_ms",
    "query",
    "The shortest time between two updates, in milliseconds.",
    {"type": "integer", "minimum": 0, "maximum": 10_000, "default": 0},
    250,
)
INCLUDE: Final = Parameter(
    "include", "query", "`fair`: with the fair probabilities (role `service`).", {"type": "string", "enum": ["fair"]}
)
IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key", "header", "A request with the key of an earlier one makes nothing new.", {**_TEXT, "maxLength": 200}
)
ACTIVE: Final = Parameter("active", "query", "Only commands that hold, or only the others.", _BOOLEAN, example=True)
AFTER: Final = Parameter("after", "query", "The `next` of the page before.", _TEXT)
AT: Final = Parameter("at", "query", "When: Unix milliseconds or RFC 3339. Default: as late as the history reaches.", _TIME)
FROM: Final = Parameter("from", "query", "The first time. Default: the beginning.", _TIME, _WHEN)
TO: Final = Parameter("to", "query", "The last time. Default: as late as the history reaches.", _TIME)
PROFILE: Final = Parameter("profile", "query", "Whose prices. Default: those that the client sees.", _TEXT)
AUTHOR: Final = Parameter("author", "query", "Only commands of this author.", _TEXT)
CURSOR: Final = Parameter("cursor", "query", "The `next` of the page before.", _TEXT)
