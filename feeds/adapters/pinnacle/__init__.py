"""Pinnacle lines feed; its quirks and their sources are in the README beside this file."""

from feeds.adapters.pinnacle.codec import PinnacleCodec
from feeds.adapters.pinnacle.config import PinnacleConfig
from feeds.adapters.pinnacle.transport import PinnacleFeed

__all__ = ["FEED", "PinnacleCodec", "PinnacleConfig"]

FEED = PinnacleFeed()
