"""Channels that show nothing: their names may be misspelt."""

from __future__ import annotations

import asyncio
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from oddsengine.cli.gateway_options import with_advice
from oddsengine.client.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from oddsengine.client import OddsClient
    from oddsengine.gateway.protocol.server_messages import EventWhole

#: How long the gateway is asked what is on offer.
_TIMEOUT_S: Final = 5.0
#: More names than this are no help.
_MAX_NAMES: Final = 8


class EmptyChannels:
    """The channels whose snapshots were empty, as far as nothing has come since."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def note(self, message: dict[str, Any]) -> bool:
        """Note a message. Return whether it is a snapshot of nothing."""
        channel = str(message.get("channel", ""))
        # Those of the console have other contents.
        if message["op"] not in {"snapshot", "delta"} or channel.startswith("console:"):
            return False
        if message.get("events") or message.get("markets"):
            self.names.pop(channel, None)
        elif message["op"] == "snapshot" and message["part"] == 1:
            self.names[channel] = None
            return True
        return False


async def nothing_in(client: OddsClient, channels: Collection[str]) -> str:
    """Describe that channels are empty, and what may have been meant, if the gateway says what is on offer."""
    text = f"nothing is on offer in {', '.join(channels)}"
    try:
        async with asyncio.timeout(_TIMEOUT_S), client.api as api:
            known = _channels_of(await api.events())
    except (OSError, ValueError, aiohttp.ClientError, RequestRefused):
        return with_advice(text, "unknown_channel")
    found = [near for each in channels for near in get_close_matches(each, known - set(channels), 1)]
    if found:
        return f"{text} (did you mean {', '.join(dict.fromkeys(found))}?)"
    sports = sorted(each for each in known if each.startswith("sport:"))
    if not sports or len(sports) > _MAX_NAMES:
        return with_advice(text, "unknown_channel")
    return f"{text} (on offer: {', '.join(sports)})"


def _channels_of(events: Iterable[EventWhole]) -> set[str]:
    """Return the channels that would show any of these events."""
    return {
        channel
        for event in events
        for channel in (f"sport:{event.sport}", f"competition:{event.competition.id}", f"event:{event.id}")
    }
