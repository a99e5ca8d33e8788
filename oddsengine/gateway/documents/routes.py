"""The table of routes: everything that the port of any role serves, but for the files of pages. The documents are made of it."""

from __future__ import annotations

from typing import Final

from oddsengine.gateway.documents.client_routes import ACCOUNT, HISTORY, PRICES, STREAMS
from oddsengine.gateway.documents.operator_routes import COMMANDS, OPERATIONS, SIGN_IN, TRADING

#: The groups of routes, in the order in which they are shown.
TAGS: Final = {
    "prices": "What is on offer now, and whether a price still is.",
    "streams": "Every change as it happens. The messages are described by the AsyncAPI document.",
    "commands": "What traders do to the offer.",
    "trading": "How prices came about, and what feeds and engines report.",
    "history": "What was published, and why.",
    "account": "Who the client is.",
    "operations": "Health and metrics, of every role, and these documents.",
}
ROUTES: Final = (*PRICES, *STREAMS, *COMMANDS, *TRADING, *HISTORY, *ACCOUNT, *SIGN_IN, *OPERATIONS)
