"""The documents as pages for people: Swagger UI for the HTTP API, or a table of it, and a page of the streams."""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

from oddsengine import __version__
from oddsengine.gateway.documents.asyncapi import asyncapi
from oddsengine.gateway.documents.openapi import SUMMARY
from oddsengine.gateway.documents.routes import ROUTES, TAGS
from oddsengine.gateway.documents.swagger_files import BUNDLE, STYLE, version

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Swagger UI draws its icons as `data:` images; everything else comes from this gateway.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; object-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
_CODE: Final = re.compile(r"`([^`]+)`")
_INSTALL: Final = "pip install 'oddsengine[docs]'"


def http_page() -> str:
    """Render the page of the HTTP API: Swagger UI where it is installed, else a table."""
    return _swagger_page(version()) if version() else _plain_page()


def _swagger_page(number: str) -> str:
    head = (
        f"<link rel='stylesheet' href='docs/{STYLE}?v={escape(number)}'><link rel='stylesheet' href='docs/docs.css'>"
        f"<script src='docs/{BUNDLE}?v={escape(number)}' defer></script><script type='module' src='docs/swagger.js'></script>"
    )
    return _page("HTTP API", head, _navigation("", "http"), "<main id='swagger-ui'><p>Loading ..</p></main>", "swagger")


def _plain_page() -> str:
    parts = [
        f"<main><h1>oddsengine {escape(__version__)}</h1><p>{escape(SUMMARY)}</p>",
        f"<p>To try requests on this page, install Swagger UI beside the gateway: <code>{escape(_INSTALL)}</code></p>",
    ]
    for tag, text in TAGS.items():
        parts.append(f"<h2>{tag.capitalize()}</h2><p>{escape(text)}</p>")
        rows = []
        for route in ROUTES:
            if route.tag == tag:
                query = "&amp;".join(f"{each.name}=" for each in route.parameters if each.where == "query")
                request = f"{route.method.upper()} {escape(route.path)}{'?' + query if query else ''}"
                rows.append((f"<code>{request}</code>", _text(route.summary), route.role or "none"))
        parts.append(_table(("Request", "Answer", "Role"), rows))
    head = "<link rel='stylesheet' href='docs/docs.css'>"
    return _page("HTTP API", head, _navigation("", "http"), "".join([*parts, "</main>"]), "plain")


def streams_page() -> str:
    """Render the page of the streams: what there is, with examples, and a box to try it."""
    document = asyncapi()
    parts = [f"<main><h1>Streams of oddsengine {escape(__version__)}</h1><p>{escape(SUMMARY)}</p>", _TRY]
    parts.append("<h2 id='channels'>Channels to subscribe to</h2>")
    rows = [
        (f"<code>{escape(each['pattern'])}</code>", _text(each["text"]), f"<code>{escape(each['example'])}</code>", each["role"])
        for each in document["x-subscribable"]
    ]
    parts.append(_table(("Channel", "Carries", "Example", "Role"), rows))
    for name, channel in document["channels"].items():
        parts.append(f"<h2 id='{name}'>{escape(channel['title'])}: <code>{channel['address']}</code></h2>")
        parts.append(f"<p>{_text(channel['description'])}</p>")
        for key, operation in document["operations"].items():
            if operation["channel"]["$ref"] == f"#/channels/{name}":
                parts.append(_operation(document, key, operation))
    codes = [(f"<code>{each['code']}</code>", escape(each["meaning"])) for each in document["x-closing-codes"]]
    parts.append(f"<h2 id='closing-codes'>Closing codes</h2>{_table(('Code', 'Meaning'), codes)}")
    errors = " ".join(f"<code>{escape(code)}</code>" for code in document["x-error-codes"])
    parts.append(f"<h2 id='error-codes'>Error codes</h2><p>{errors}</p></main>")
    head = "<link rel='stylesheet' href='docs.css'><script type='module' src='streams.js'></script>"
    return _page("Streams", head, _navigation("../", "streams"), "".join(parts), "streams")


_TRY: Final = """<section class='try' aria-labelledby='try-heading'><h2 id='try-heading'>Try it</h2>
<form id='connect'><label>Address <input id='address' name='address' type='url' required autocomplete='off'></label>
<label>Token, if one is required <input id='token' name='token' type='password' autocomplete='off'></label>
<div><button id='toggle' type='submit'>Connect</button> <span id='state' role='status'>not connected</span></div></form>
<form id='send'><label>Example <select id='example'></select></label>
<label>Message <textarea id='message' rows='4' spellcheck='false' required></textarea></label>
<div><button id='submit' type='submit' disabled>Send</button> <button id='clear' type='button'>Clear</button></div></form>
<ol id='log' class='log' tabindex='0' aria-label='Messages'></ol></section>"""


def _operation(document: dict[str, Any], key: str, operation: dict[str, Any]) -> str:
    who = "Client sends" if operation["action"] == "receive" else "Gateway sends"
    heading = f"<h3>{who}: {escape(key.replace('_', ' '))}</h3>"
    parts = [f"<section class='operation' id='{key}'>{heading}<p>{_text(operation['summary'])}</p>"]
    parts += [_message(document, each["$ref"]) for each in operation["messages"]]
    if "reply" in operation:
        parts.append("<h4>Answered with</h4>")
        parts += [_message(document, each["$ref"]) for each in operation["reply"]["messages"]]
    return "".join([*parts, "</section>"])


def _message(document: dict[str, Any], reference: str) -> str:
    message = document["components"]["messages"][reference.rpartition("/")[2]]
    schema = message["payload"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    required = set(schema.get("required", ()))
    fields = " ".join(
        f"<code>{escape(field)}{'' if field in required else '?'}</code>" for field in schema["properties"] if field != "op"
    )
    examples = "\n".join(json.dumps(each["payload"], ensure_ascii=False) for each in message["examples"])
    return (
        f"<details><summary><code>{escape(message['name'])}</code> {_text(message['summary'])}</summary>"
        f"<p>{fields}</p><pre tabindex='0'>{escape(examples)}</pre></details>"
    )


def _navigation(root: str, current: str) -> str:
    """Return the links between the documents.

    Args:
        root: leads from the page to the root of the gateway.
        current: which page it is.
    """
    links = {"http": ("docs", "HTTP API"), "streams": ("docs/streams", "Streams")}
    shown = [
        f"<a href='{root}{path}'{' aria-current=page' * (name == current)}>{text}</a>" for name, (path, text) in links.items()
    ]
    shown += [f"<a href='{root}docs/{name}.json'>{text}</a>" for name, text in (("openapi", "OpenAPI"), ("asyncapi", "AsyncAPI"))]
    # Swagger UI has no heading of the first level.
    name = "<h1>oddsengine</h1>" if current == "http" and version() else "<strong>oddsengine</strong>"
    return f"<header class='documents'>{name}<nav aria-label='Documents'>{' '.join(shown)}</nav></header>"


def _page(title: str, head: str, navigation: str, body: str, kind: str) -> str:
    icon = "../icon.svg" if kind == "streams" else "icon.svg"
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title} of oddsengine</title>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><link rel='icon' href='{icon}'>{head}</head>"
        f"<body class='{'swagger' if kind == 'swagger' else 'plain'}'>{navigation}{body}</body></html>"
    )


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th scope='col'>{heading}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class='scrolls' tabindex='0'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _text(text: str) -> str:
    """Escape a text and mark up what is in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))
