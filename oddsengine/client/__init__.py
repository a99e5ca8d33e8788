"""An asyncio client: follows channels of the stream, resumes after every disconnect, and asks the HTTP API.

What it does after each refusal, closing code and loss is one table (`recovery`), which docs/protocol.md shows and the
JavaScript client of the gateway's page shares. docs/python-client.md shows how it is used.

Of the rest of `oddsengine` it imports the types of the protocol only, so that a distribution of its own has it
(`packages/python`).
"""

from __future__ import annotations

from oddsengine.client.client import OddsClient
from oddsengine.client.errors import GaveUp, Problem, RequestRefused
from oddsengine.client.http.api import GatewayApi
from oddsengine.client.http.quotes import QuoteVerifier
from oddsengine.client.recovery import Timing
from oddsengine.client.state import OddsState
from oddsengine.client.url import stream_url
from oddsengine.gateway.protocol.client_messages import QuoteToCheck
from oddsengine.gateway.quotes.signed_quote import ExpiredQuote, InvalidQuote, SignedQuote

__all__ = [
    "ExpiredQuote",
    "GatewayApi",
    "GaveUp",
    "InvalidQuote",
    "OddsClient",
    "OddsState",
    "Problem",
    "QuoteToCheck",
    "QuoteVerifier",
    "RequestRefused",
    "SignedQuote",
    "Timing",
    "stream_url",
]
