"""The requests that the OpenAPI document shows as examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import orjson

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import EventUpdate, MarketDefinition, MarketUpdate, SelectionDefinition
from oddsengine.domain.ids import EventId, MarketId, SelectionKey
from oddsengine.gateway.documents.examples import REQUESTS
from oddsengine.gateway.documents.route import EVENT, MARKET, Route
from tests.support.builders import a_quote

if TYPE_CHECKING:
    from tests.support.service import RunningService


class Example(NamedTuple):
    """A request, ready to be sent."""

    method: str
    target: str
    body: bytes | None


def example_of(route: Route, **values: str) -> Example:
    """Return the example of a route.

    Args:
        route: the route.
        values: values of its parameters in place of those that the document shows.
    """
    path, query = route.path, []
    for parameter in route.parameters:
        value = values.get(parameter.name, parameter.example)
        if parameter.where == "path":
            path = path.replace(f"{{{parameter.name}}}", quote(str(value), safe=""))
        elif parameter.where == "query" and value is not None:
            each = value if isinstance(value, list) else [value]
            query += [(parameter.name, str(one).lower() if isinstance(one, bool) else str(one)) for one in each]
    request: Any = bodies_of(route)[0] if bodies_of(route) else None
    target = f"{path}?{urlencode(query)}" if query else path
    return Example(route.method.upper(), target, None if request is None else orjson.dumps(request))


def bodies_of(route: Route) -> list[Any]:
    """Return the bodies that the document shows of a route."""
    shown = REQUESTS.get(route.name, {})
    return [*shown["requests"].values()] if "requests" in shown else [shown["request"]] if "request" in shown else []


#: What the examples are about.
_MATCH: Final = Event(
    id=EventId(EVENT),
    sport="football",
    competition=Competition("betfair.10932509", "First Division"),
    name="Gullwick v Ashbourne Vale",
    participants=("Gullwick", "Ashbourne Vale"),
    start_ms=1_795_723_200_000,
    in_play=True,
    score="1-0",
    clock="15'",
)
_NAMES: Final = {"home": "Gullwick", "draw": "Draw", "away": "Ashbourne Vale"}


async def offer_the_example(service: RunningService, source: str = "src", home: float = 1.7) -> None:
    """Publish what the examples are about.

    Args:
        service: the service.
        source: one of its sources.
        home: the odds of the home side.
    """
    selections = tuple(SelectionDefinition(f"s-{key}", SelectionKey(key), name, "active") for key, name in _NAMES.items())
    definition = MarketDefinition(
        id=MarketId(MARKET),
        event=EventId(EVENT),
        type="match_odds",
        period="ft",
        status="open",
        in_play=True,
        selections=selections,
    )
    books = [a_quote("home", home), a_quote("draw", 4.2), a_quote("away", 1 / (1 - 1 / home - 1 / 4.2))]
    service.feed(EventUpdate(_MATCH), MarketUpdate("1.170258213", image=True, definition=definition, books=books), source=source)
    await service.wait_published()
