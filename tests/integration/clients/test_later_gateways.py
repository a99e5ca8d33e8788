"""Clients of today at a gateway of tomorrow: what they do not know changes nothing of what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
from websockets.asyncio.server import serve
from websockets.typing import Subprotocol

from tests.support.clients.following import KINDS, Options, followers, wait_view

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

CHANNEL: Final = "sport:football"
MSGPACK: Final = Subprotocol("odds.v1.msgpack")
#: Fields that nobody knows yet, with every kind of value.
NEW: Final = {"later": {"list": [1, {"none": None}], "number": -5.5, "text": "é"}, "constructor": True}
EVENT: Final = {"id": "e1", "sport": "football", "competition": {"id": "c1", "name": "Cup", **NEW}, "name": "A v B", **NEW}
SELECTION: Final = {"name": "A", "price": 2.0, "status": "hidden", **NEW}
MARKET: Final = {
    "id": "e1/duel",
    "event": "e1",
    "type": "duel",
    "name": "Duel",
    "period": "warm_up",
    "status": "delayed",
    "reason": "solar_flare",
    "in_play": False,
    "v": 1,
    "selections": {"home": SELECTION},
    **NEW,
}
CHANGE: Final = {"id": "e1/duel", "v": 2, "selections": {"home": {"price": 3.0}, "both": SELECTION}, "later": 2}
#: Of no type that is known, whatever they are about.
NOTICES: Final[list[dict[str, Any]]] = [
    {"op": "notice"},
    {"op": "notice", "id": 1, "channels": [CHANNEL]},
    {"op": "notice", "channels": 7},
    *({"op": "notice", "channel": channel} for channel in (CHANNEL, 7, None, {"kind": "sport", "key": "football"}, [CHANNEL])),
    {"op": "error", "id": None, "code": "later", "message": "of no request"},
]


async def later_gateway(socket: ServerConnection) -> None:
    """Serve one channel, as a later release might."""
    encoder = msgspec.msgpack.encode if socket.subprotocol == MSGPACK else lambda message: orjson.dumps(message).decode()
    decode = msgspec.msgpack.decode if socket.subprotocol == MSGPACK else orjson.loads
    about: dict[str, Any] = {"channel": CHANNEL, **NEW}
    await socket.send(encoder({"op": "welcome", "version": 2, "session": "s", "heartbeat_ms": 5000, **NEW}))
    request: dict[str, Any] = decode(await socket.recv())  # type: ignore[arg-type] # bytes of a socket that speaks MessagePack
    for message in (
        *NOTICES,
        {"op": "subscribed", "id": request["id"], "channels": request["channels"], "resumed": False, **NEW},
        {"op": "snapshot", "at": "1", "part": 1, "last": True, "events": [EVENT], "markets": [MARKET], "teams": [1], **about},
        *NOTICES,
        {"op": "stale", "since": 1, **about},
        {"op": "live", **about},
        {"op": "delta", "at": "2", "ts": 1, "markets": [CHANGE], "teams": [2], **about},
        {"op": "heartbeat", "at": "3", "ts": 2, **NEW},
    ):
        await socket.send(encoder(message))
    await socket.wait_closed()


async def test_fields_values_and_messages_that_are_not_known_yet_change_nothing() -> None:
    selections = {"home": {**SELECTION, "price": 3.0}, "both": SELECTION}
    shown = {"e1/duel": {**MARKET, "v": 2, "selections": selections, "later": 2}}
    async with serve(later_gateway, "127.0.0.1", 0, subprotocols=[Subprotocol("odds.v1.json"), MSGPACK]) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for kind in KINDS:
            for encoding in ("json", "msgpack") if kind == "javascript" else ("json",):
                options = Options(url, [CHANNEL], more={"transport": "websocket", "encoding": encoding})
                async with followers(kind) as clients, clients.follow(options) as follower:
                    view = await wait_view(follower, lambda view: view.markets == shown or view.reconnects > 0)
                assert (shown, {"e1": EVENT}, {}, 0) == (view.markets, view.events, view.stale, view.reconnects), (kind, encoding)
                assert {"later"} == set(view.codes)
