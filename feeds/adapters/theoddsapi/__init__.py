"""The Odds API feed; its quirks and their sources are in the README beside this file."""

from feeds.adapters.theoddsapi.codec import TheOddsApiCodec
from feeds.adapters.theoddsapi.config import TheOddsApiConfig
from feeds.adapters.theoddsapi.transport import TheOddsApiFeed

__all__ = ["FEED", "TheOddsApiCodec", "TheOddsApiConfig"]

FEED = TheOddsApiFeed()
