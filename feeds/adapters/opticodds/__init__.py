"""OpticOdds feed; its quirks and their sources are in the README beside this file."""

from feeds.adapters.opticodds.codec import OpticOddsCodec
from feeds.adapters.opticodds.config import OpticOddsConfig
from feeds.adapters.opticodds.transport import OpticOddsFeed

__all__ = ["FEED", "OpticOddsCodec", "OpticOddsConfig"]

FEED = OpticOddsFeed()
