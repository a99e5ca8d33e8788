"""The configuration file: its schema, and a loader that reports every problem with file, line and key.

Every command loads this package, so it imports neither aiohttp nor jwt.
"""

from oddsengine.runtime.settings.errors import ConfigError, Problem
from oddsengine.runtime.settings.loader import demo_config, load_settings, parse_settings
from oddsengine.runtime.settings.schema import (
    EngineSettings,
    FeedSettings,
    GatewaySettings,
    LogSettings,
    RedisSettings,
    Settings,
)

__all__ = [
    "ConfigError",
    "EngineSettings",
    "FeedSettings",
    "GatewaySettings",
    "LogSettings",
    "Problem",
    "RedisSettings",
    "Settings",
    "demo_config",
    "load_settings",
    "parse_settings",
]
