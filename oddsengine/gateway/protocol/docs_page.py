"""The API documents as a page for people; it needs no script."""

from __future__ import annotations

import re
from html import escape
from typing import Final

from oddsengine import __version__
from oddsengine.gateway.protocol.asyncapi import RECEIVE_REQUESTS, SEND_MESSAGES, asyncapi
from oddsengine.gateway.protocol.codes import Close
from oddsengine.gateway.protocol.openapi import ROUTES, SUMMARY

_CODE: Final = re.compile(r"`([^`]+)`")


def docs_page() -> str:
    """Render the page."""
    stream = asyncapi()
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>oddsengine API</title>",
        "<meta name='viewport' content='width=device-width'><link rel='stylesheet' href='style.css'></head>",
        f"<body class='docs'><main><h1>oddsengine {escape(__version__)}</h1><p>{escape(SUMMARY)}</p>",
        "<p><a href='docs/openapi.json'>OpenAPI</a> · <a href='docs/asyncapi.json'>AsyncAPI</a></p><h2>HTTP</h2>",
        "<table><tr><th>Request</th><th>Answer</th><th>Role</th></tr>",
    ]
    for route in ROUTES:
        query = "&amp;".join(f"{each.name}=" for each in route.parameters if each.where == "query")
        request = f"{route.method.upper()} {escape(route.path)}{'?' + query if query else ''}"
        parts.append(_row(f"<code>{request}</code>", _text(route.summary), route.role))
    parts.append("</table>")
    for heading, operation in (("Client messages", RECEIVE_REQUESTS), ("Gateway messages", SEND_MESSAGES)):
        parts.append(f"<h2>{heading}</h2><table><tr><th>op</th><th>Meaning</th><th>Fields</th></tr>")
        for reference in stream["operations"][operation]["messages"]:
            name = reference["$ref"].rpartition("/")[2]
            message = stream["components"]["messages"][name]
            fields = [field for field in stream["components"]["schemas"][name]["properties"] if field != "op"]
            codes = " ".join(f"<code>{escape(field)}</code>" for field in fields)
            parts.append(_row(f"<code>{message['name']}</code>", _text(message["summary"]), codes))
        parts.append("</table>")
    codes = "".join(_row(f"<code>{code.value}</code>", code.name.lower().replace("_", " ")) for code in Close)
    parts.append(f"<h2>Closing codes</h2><table>{codes}</table></main></body></html>")
    return "".join(parts)


def _text(text: str) -> str:
    """Escape a text and mark up what is in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
