"""The examples in the documents: requests, what a gateway answers to them, and messages of streams.

`examples/requests.json` has for each operation its `request`, if it takes a body, or several `requests` by name, and its
`answers` to the first by status; `python -m tests.support.documents.recording` writes the answers of a real gateway into it.
`examples/messages.json` has examples of each message.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import msgspec


def _read(name: str) -> Any:
    return msgspec.json.decode(files(__package__).joinpath("examples", name).read_bytes())


#: By the name of the operation.
REQUESTS: Final[dict[str, dict[str, Any]]] = _read("requests.json")
#: By the name of the message.
MESSAGES: Final[dict[str, list[dict[str, Any]]]] = _read("messages.json")
