"""The OpenAPI document is valid, plain, and made of the code's own enums; its examples are what it describes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from feeds.supervision.states import FeedState
from oddsengine.commands.command import ACTIONS, State
from oddsengine.commands.validation import CommandRequest
from oddsengine.domain.taxonomy import SUSPENSION_REASONS, MarketType
from oddsengine.gateway.documents.answers import CommandBody
from oddsengine.gateway.documents.asyncapi import asyncapi
from oddsengine.gateway.documents.openapi import openapi
from oddsengine.gateway.documents.routes import ROUTES, TAGS
from oddsengine.gateway.protocol.client_messages import QuoteAnswer
from oddsengine.gateway.protocol.codes import ErrorCode
from tests.support.documents.schemas import resolve, validator

DOCUMENT = openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
PROTOCOL = (Path(__file__).parents[4] / "docs" / "protocol.md").read_text(encoding="utf-8")
OPERATIONS = {(method, path): operation for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()}


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for part in value.values() for each in references(part)]
    return [each for part in value for each in references(part)] if isinstance(value, list) else []


def values_of(schema: dict[str, Any]) -> list[str]:
    """Return the values of an enum, also of a union of them."""
    return [value for each in [schema, *schema.get("anyOf", ())] for value in each.get("enum", ())]


def test_the_document_is_valid() -> None:
    from openapi_spec_validator import validate

    validate(DOCUMENT)


@pytest.mark.parametrize("document", [DOCUMENT, asyncapi()], ids=["openapi", "asyncapi"])
def test_every_reference_resolves_and_every_schema_is_valid(document: dict[str, Any]) -> None:
    assert references(document)
    for reference in references(document):
        resolve(document, reference)
    from jsonschema import Draft202012Validator

    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_operations_have_names_that_are_unique_and_plain() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names) == len(ROUTES)
    assert [] == [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)]
    assert {*TAGS} == {tag for operation in OPERATIONS.values() for tag in operation["tags"]}
    assert {*TAGS} == {tag["name"] for tag in DOCUMENT["tags"]}


def test_enums_are_those_of_the_code() -> None:
    assert [*SUSPENSION_REASONS] == values_of(SCHEMAS["MarketWhole"]["properties"]["reason"])
    assert sorted(ErrorCode) == sorted(values_of(SCHEMAS["ErrorCode"]))
    assert {*(state.value for state in FeedState), "unknown"} == {*values_of(SCHEMAS["FeedStatus"]["properties"]["state"])}
    assert {*get_args(QuoteAnswer)} == {*values_of(SCHEMAS["QuoteChecked"]["properties"]["result"])}
    assert {*ACTIONS} == {*values_of(SCHEMAS["CommandBody"]["properties"]["action"])}
    assert {*get_args(State), "applied", "pending"} == {*values_of(SCHEMAS["CommandAnswer"]["properties"]["state"])}
    assert {*get_args(MarketType)} == {*values_of(SCHEMAS["MarketWhole"]["properties"]["type"])}


def test_reasons_are_those_of_the_documentation() -> None:
    documented = PROTOCOL.partition("Why a market is suspended (`reason`): ")[2].partition("\n- ")[0]
    assert {*SUSPENSION_REASONS} == {*re.findall(r"`(\w+)`\s+\(", documented)} | {*re.findall(r"`(source_\w+)`", documented)}


def test_a_command_is_described_as_it_is_read() -> None:
    assert CommandRequest.__struct_fields__ == CommandBody.__struct_fields__
    assert CommandRequest.__struct_defaults__ == CommandBody.__struct_defaults__


@pytest.mark.parametrize("key", OPERATIONS, ids=[f"{method} {path}" for method, path in OPERATIONS])
def test_examples_are_what_they_are_examples_of(key: tuple[str, str]) -> None:
    operation = OPERATIONS[key]
    for parameter in operation["parameters"]:
        if "example" in parameter:
            validator(DOCUMENT, parameter["schema"]).validate(parameter["example"])
        assert not parameter["required"] or "example" in parameter, f"an example of {parameter['name']} is missing"
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    responses = [each if "$ref" not in each else resolve(DOCUMENT, each["$ref"]) for each in operation["responses"].values()]
    for described in [*bodies, *responses]:
        for media, content in described.get("content", {}).items():
            examples = [each["value"] for each in content.get("examples", {}).values()]
            examples += [content["example"]] if "example" in content else []
            assert examples or not media.endswith("json") or content["schema"] == {"type": "object"}, described
            for example in examples:
                validator(DOCUMENT, content["schema"]).validate(example)
