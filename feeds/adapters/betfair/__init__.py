"""Betfair Exchange Stream feed; its quirks and their sources are in the README beside this file."""

from feeds.adapters.betfair.codec import BetfairCodec
from feeds.adapters.betfair.config import BetfairConfig
from feeds.adapters.betfair.market_stream import MarketStream
from feeds.adapters.betfair.messages import Subscription
from feeds.adapters.betfair.transport import BetfairFeed

__all__ = ["FEED", "BetfairCodec", "BetfairConfig", "MarketStream", "Subscription"]

FEED = BetfairFeed()
