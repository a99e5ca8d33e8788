"""The schemas of the documents as validators."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from oddsengine.gateway.documents.asyncapi import asyncapi
from oddsengine.gateway.documents.openapi import openapi

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

# jsonschema takes seconds to import, in each process that collects tests; most of them validate nothing.


def resolve(document: Any, reference: str) -> Any:
    """Return what a reference leads to."""
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


def validator(document: Any, schema: dict[str, Any]) -> Draft202012Validator:
    """Return the validator of a schema that refers to components of its document."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator({**schema, "components": document["components"]})


@cache
def answer_validator(method: str, path: str, status: str) -> Draft202012Validator | None:
    """Return the validator of an answer as the OpenAPI document has it; None for one that is no JSON.

    Raises:
        KeyError: if the document has no such answer.
    """
    document = openapi()
    response = document["paths"][path][method]["responses"][status]
    if "$ref" in response:
        response = resolve(document, response["$ref"])
    found = [content for media, content in response.get("content", {}).items() if media.endswith("json")]
    return validator(document, found[0]["schema"]) if found else None


def validate_answer(method: str, path: str, status: int, answer: Any) -> None:
    """Check that an answer is one that the document has."""
    found = answer_validator(method, path, str(status))
    assert found is not None, f"{method} {path} answers {status} with no JSON"
    found.validate(answer)


@cache
def message_validator(name: str) -> Draft202012Validator:
    """Return the validator of a message of the AsyncAPI document."""
    document = asyncapi()
    return validator(document, document["components"]["messages"][name]["payload"])
