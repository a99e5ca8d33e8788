"""Odds-API.io feed; its quirks and their sources are in the README beside this file."""

from feeds.adapters.oddsapiio.codec import OddsApiIoCodec
from feeds.adapters.oddsapiio.config import OddsApiIoConfig
from feeds.adapters.oddsapiio.transport import OddsApiIoFeed

__all__ = ["FEED", "OddsApiIoCodec", "OddsApiIoConfig"]

FEED = OddsApiIoFeed()
