"""Whole channels in one HTTP answer: one as the body of its snapshot message, several as a list of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import ETag, web

from oddsengine.common.excerpts import echoed
from oddsengine.common.http import RequestRejected, error, json_answer
from oddsengine.gateway.http.conditional import in_time, tag_of
from oddsengine.gateway.protocol import encoders
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.protocol.server_messages import ChannelRefused
from oddsengine.gateway.state.replica import UnknownChannel
from oddsengine.streams.positions import encode_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.protocol.delivery import DeliveryOptions
    from oddsengine.gateway.state.replica import Channel

#: As many as a client should name in one message of a stream.
_MAX_CHANNELS: Final = 100
_STATUSES: Final = {ErrorCode.FORBIDDEN: 403, ErrorCode.UNKNOWN_CHANNEL: 404}
#: What follows the position in a snapshot; the content of a channel begins here, and its tag is of that.
_AFTER_POSITION: Final = b',"part":'


def named_channels(request: web.Request) -> list[str]:
    """Return the channels that a request names, each once. Raises RequestRejected if there are none, or too many."""
    names = list(dict.fromkeys(request.query.getall("channel", ())))
    if not names:
        raise RequestRejected(error(400, ErrorCode.BAD_REQUEST, "the parameter channel is missing"))
    if len(names) > _MAX_CHANNELS:
        text = f"{len(names)} channels in one request; at most {_MAX_CHANNELS} are allowed"
        raise RequestRejected(error(400, ErrorCode.BAD_REQUEST, text))
    return names


async def answer_channels(hub: Hub, access: Access, names: Sequence[str], options: DeliveryOptions) -> web.Response:
    """Return whole channels. The one that is named alone is refused with an error; of several, those that are refused are listed.

    Each has a position of its own, and its entity tag does not depend on it: a client that has the content may go on from the
    position that came with that.
    """
    refused: list[ChannelRefused] = []
    snapshots: list[bytes] = []
    tags: list[str] = []
    for name in names:
        channel = _granted(hub, access, name)
        if isinstance(channel, ChannelRefused):
            if len(names) == 1:
                return error(_STATUSES[channel.code], channel.code, channel.message)
            refused.append(channel)
            continue
        content, at = await hub.snapshot(channel, options)
        snapshot = encoders.snapshot(channel.name, encode_at(at), *content)
        tags.append(f"{name} {await in_time(memoryview(snapshot)[snapshot.index(_AFTER_POSITION) :], tag_of)}")
        snapshots.append(snapshot)
    if len(names) == 1:
        return _tagged(snapshots[0], tags)
    errors = msgspec.json.encode(refused)
    body = b"".join((b'{"snapshots":[', b",".join(snapshots), b'],"errors":', errors, b"}"))
    return _tagged(body, [*tags, errors.decode()])


def _granted(hub: Hub, access: Access, name: str) -> Channel | ChannelRefused:
    if not access.may_subscribe(name):
        return ChannelRefused(name, ErrorCode.FORBIDDEN, f"{echoed(name)} is not granted")
    try:
        return hub.replica.channel(name)
    except UnknownChannel as unknown:
        return ChannelRefused(name, ErrorCode.UNKNOWN_CHANNEL, str(unknown))


def _tagged(body: bytes, tags: Sequence[str]) -> web.Response:
    response = json_answer(body)
    response.etag = ETag(tag_of("\n".join(tags).encode()), is_weak=True)
    return response
