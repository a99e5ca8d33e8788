"""The OpenAPI and AsyncAPI documents are valid and describe what the gateway answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from oddsengine.gateway.protocol.asyncapi import RECEIVE_REQUESTS, SEND_MESSAGES, asyncapi
from oddsengine.gateway.protocol.openapi import ROUTES, openapi
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.service import RunningService, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MARKET = "e1/match_odds"


@pytest.fixture
async def service() -> AsyncIterator[RunningService]:
    async with running_service() as found:
        found.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await found.wait_published()
        yield found


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for part in value.values() for each in references(part)]
    return [each for part in value for each in references(part)] if isinstance(value, list) else []


def resolve(document: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


def test_the_openapi_document_is_valid() -> None:
    validate(openapi())


@pytest.mark.parametrize("document", [openapi(), asyncapi()], ids=["openapi", "asyncapi"])
def test_every_reference_resolves_and_every_schema_is_valid(document: dict[str, Any]) -> None:
    assert references(document)
    for reference in references(document):
        resolve(document, reference)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_asyncapi_document_names_every_message_of_both_directions() -> None:
    document = asyncapi()
    assert "3.0.0" == document["asyncapi"]
    operations = {
        name: {resolve(document, resolve(document, each["$ref"])["$ref"])["name"] for each in operation["messages"]}
        for name, operation in document["operations"].items()
    }
    assert {"subscribe", "unsubscribe", "ping", "auth"} == operations[RECEIVE_REQUESTS]
    assert {"welcome", "authenticated", "subscribed", "unsubscribed", "pong", "snapshot", "delta"} < operations[SEND_MESSAGES]
    assert {"heartbeat", "stale", "live", "error", "bye"} < operations[SEND_MESSAGES]


def schema_of(path: str, method: str = "get", status: str = "200") -> Draft202012Validator:
    document = openapi()
    schema = document["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})


@pytest.mark.parametrize(
    ("path", "requested"),
    [
        ("/v1/events", "/v1/events"),
        ("/v1/events/{id}", "/v1/events/e1"),
        ("/v1/markets/{id}", f"/v1/markets/{quote(MARKET, safe='')}"),
        ("/v1/markets/{id}", f"/v1/markets/{quote(MARKET, safe='')}?format=fractional"),
        ("/v1/markets/{id}/explain", f"/v1/markets/{quote(MARKET, safe='')}/explain"),
        ("/v1/snapshot", "/v1/snapshot?channel=sport:football"),
        ("/v1/feeds", "/v1/feeds"),
        ("/v1/unmatched", "/v1/unmatched"),
    ],
)
async def test_answers_match_the_document(service: RunningService, path: str, requested: str) -> None:
    answer = await service.get(requested)
    if path == "/v1/snapshot":
        answer = {"op": "snapshot", **answer}  # the HTTP body is the message without its op
    schema_of(path).validate(answer)


async def test_price_checks_and_errors_match_the_document(service: RunningService) -> None:
    body = b'{"quotes":[{"market":"e1/match_odds","selection":"home","price":1.9},{"market":"x","selection":"y","price":2}]}'
    schema_of("/v1/quotes/check", "post").validate(await service.post("/v1/quotes/check", body))
    schema_of("/v1/quotes/check", "post", "400").validate(await service.post("/v1/quotes/check", b"{}", status=400))
    schema_of("/v1/markets/{id}", status="404").validate(await service.get("/v1/markets/none", 404))


async def test_the_documents_are_served_and_contain_every_route(service: RunningService) -> None:
    assert openapi() == await service.get("/docs/openapi.json")
    assert asyncapi() == await service.get("/docs/asyncapi.json")
    async with service.http.get(service.base + "/docs") as response:
        text = await response.text()
    assert all(f"{route.path}" in text for route in ROUTES)
    served_paths = {
        resource.canonical for resource in service.gateway.app.router.resources() if resource.canonical.startswith("/v1/")
    }
    assert {route.path for route in ROUTES} | {"/v1/stream"} == {path.replace(":.+", "") for path in served_paths}
