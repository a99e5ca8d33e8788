"""An asyncio client of the stream: connects, subscribes, resumes after every disconnect, and maintains the current state.

What it does after each refusal, closing code and loss is one table (`recovery`), which docs/protocol.md shows and the
JavaScript client of the gateway's page shares.
"""

from __future__ import annotations

from oddsengine.client.client import OddsClient
from oddsengine.client.errors import GaveUp, Problem
from oddsengine.client.recovery import Timing
from oddsengine.client.state import OddsState
from oddsengine.client.url import stream_url

__all__ = ["GaveUp", "OddsClient", "OddsState", "Problem", "Timing", "stream_url"]
