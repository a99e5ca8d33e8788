"""The tables of the streams: their addresses, what is subscribed to on them, and the operations that the documents list."""

from __future__ import annotations

from typing import Final, NamedTuple

from oddsengine.gateway.dialects.centrifuge import replies as centrifuge
from oddsengine.gateway.dialects.centrifuge.messages import Command
from oddsengine.gateway.protocol import client_messages as client
from oddsengine.gateway.protocol import server_messages as server
from oddsengine.gateway.protocol.client_messages import PROTOCOL_JSON, PROTOCOL_MSGPACK

#: Where a message is a type of the dialect, what its name begins with: some have the names of ours.
CENTRIFUGE: Final = "Centrifuge"
CENTRIFUGE_TYPES: Final = (Command, centrifuge.Reply, centrifuge.Push)


class Stream(NamedTuple):
    """An address at which messages are exchanged."""

    name: str
    address: str
    protocol: str
    title: str
    text: str


class Operation(NamedTuple):
    """An operation of one side.

    Attributes:
        name: the id of the operation.
        stream: the name of its stream.
        is_received: whether a gateway receives the messages; it sends them otherwise.
        types: the types of the messages.
        replies: the types of the answers to each.
        summary: a sentence.
    """

    name: str
    stream: str
    is_received: bool
    types: tuple[type, ...]
    replies: tuple[type, ...]
    summary: str


class Subscribable(NamedTuple):
    """A kind of channel that clients subscribe to."""

    pattern: str
    example: str
    role: str
    text: str


STREAMS: Final = (
    Stream(
        "stream",
        "/v1/stream",
        "ws",
        "odds.v1",
        f"A WebSocket of the subprotocol `{PROTOCOL_JSON}` (text, the default) or `{PROTOCOL_MSGPACK}` (binary).",
    ),
    Stream(
        "events",
        "/v1/sse",
        "http",
        "Server-sent events",
        "For networks that block WebSockets: each message is the `data` of an event. The query says what to subscribe to.",
    ),
    Stream(
        "centrifuge",
        "/connection/websocket",
        "ws",
        "Centrifugo's SDKs",
        "Centrifuge's client protocol in JSON, a command or reply a line; the data of publications are messages of `odds.v1`.",
    ),
)
SUBSCRIBABLE: Final = (
    Subscribable("sport:<key>", "sport:football", "subscriber", "All events of a sport."),
    Subscribable("competition:<id>", "competition:betfair.10932509", "subscriber", "All events of a competition."),
    Subscribable("event:<id>", "event:betfair.29283412", "subscriber", "An event and its markets."),
    Subscribable("market:<id>", "market:betfair.29283412/match_odds", "subscriber", "A market."),
    Subscribable("console:commands", "console:commands", "trader", "Commands as they are made, confirmed, lifted and expire."),
    Subscribable("console:feeds", "console:feeds", "trader", "The status of every feed."),
    Subscribable("console:trouble", "console:trouble", "trader", "Doubtful pairs, late commands, silent shards and engines."),
)
_OFFER: Final = (server.Snapshot, server.Delta, server.Stale, server.Live)
OPERATIONS: Final = (
    Operation(
        "subscribe",
        "stream",
        True,
        (client.Subscribe,),
        (server.Subscribed, server.Failed),
        "Subscribe to channels. A snapshot follows for each, or a diff.",
    ),
    Operation(
        "unsubscribe",
        "stream",
        True,
        (client.Unsubscribe,),
        (server.Unsubscribed, server.Failed),
        "Unsubscribe from channels.",
    ),
    Operation(
        "authenticate",
        "stream",
        True,
        (client.Authenticate,),
        (server.Authenticated, server.Failed),
        "Give a token: as the first message where no header can be set, and again before it expires.",
    ),
    Operation("ping", "stream", True, (client.Ping,), (server.Pong,), "Ask for a sign of life."),
    Operation("welcome", "stream", False, (server.Welcome,), (), "Say that the session is open: the first message."),
    Operation("publish", "stream", False, _OFFER, (), "Publish what is on offer, and what changes of it."),
    Operation(
        "heartbeat", "stream", False, (server.Heartbeat,), (), "Show that the gateway is alive, when nothing else was sent."
    ),
    Operation(
        "refuse",
        "stream",
        False,
        (server.Failed,),
        (),
        "Say what was refused, also later: a channel that a new token does not grant.",
    ),
    Operation("close", "stream", False, (server.Bye,), (), "Say goodbye, and when to come back. The socket closes then."),
    Operation(
        "publish_events",
        "events",
        False,
        (server.Welcome, server.Subscribed, *_OFFER, server.Heartbeat, server.Failed, server.Bye),
        (),
        "Publish the same as server-sent events.",
    ),
    Operation(
        "command_by_centrifuge",
        "centrifuge",
        True,
        (Command,),
        (centrifuge.Reply,),
        "Connect, subscribe, unsubscribe, refresh the token or answer a ping, by an SDK.",
    ),
    Operation("push_by_centrifuge", "centrifuge", False, (centrifuge.Push,), (), "Publish to an SDK."),
)
