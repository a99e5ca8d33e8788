"""A recording, written, read back and played, produces the updates that the codec produced live."""

from __future__ import annotations

from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from feeds.feed import Dropped, Feed, Rejected, VerificationSnapshot
from feeds.recording.packet import Packet, data_packet, decode_packet, response_packet
from feeds.recording.player import Player
from feeds.recording.reader import Recordings
from feeds.recording.recorder import Recorder
from feeds.transports.http import Request, Response
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate, SourceStatus, UpdateBatch
from tests.support.builders import an_event

if TYPE_CHECKING:
    from feeds.feed import CodecEvent
    from oddsengine.domain.feed_updates import SourceHealth

#: what happens to a feed, one step after the other
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["opened", "reset", "afresh", "sample", "asked", "time"]), st.just(b"")),
        st.tuples(st.sampled_from(["data", "response"]), st.binary(max_size=20)),
        st.tuples(st.just("status"), st.sampled_from([b"live", b"down"])),
    ),
    max_size=30,
)


class CountingCodec:
    """A codec whose every event shows all of its inputs so far, so that a missing or changed one makes a difference."""

    silence_limit_s = 1.0

    def __init__(self) -> None:
        self._inputs = ""

    def _event(self, what: str) -> list[CodecEvent]:
        self._inputs = f"{len(self._inputs)} {what}"
        batch = UpdateBatch("src", None, [EventUpdate(an_event(self._inputs)), SourceStatus("live", "claimed")])
        return [batch, Dropped("x"), Rejected("message", self._inputs, ""), VerificationSnapshot([batch])]

    def connection_made(self) -> None:
        self._inputs += "c"

    def reset(self) -> None:
        self._inputs = ""

    def request_verification(self) -> None:
        self._inputs += "v"

    def data_to_send(self) -> bytes:
        self._inputs += "w"
        return b""

    def next_request(self, now_ms: int) -> Request | None:
        self._inputs += f"r{now_ms}"
        return None

    def next_due_ms(self) -> int | None:
        return None

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        return self._event(data.hex())

    def receive_response(self, response: Response) -> list[CodecEvent]:
        return self._event(f"{response.at_ms} {response.body.hex()}")

    def tick(self, now_ms: int) -> list[CodecEvent]:
        return self._event(f"t{now_ms}")


class Live:
    """Drives a codec as a session does, and records its inputs."""

    def __init__(self, recorder: Recorder) -> None:
        self._codec = CountingCodec()
        self._recorder = recorder
        self.updates: list[Any] = []

    def step(self, kind: Any, body: bytes, at_ms: int) -> None:
        codec = self._codec
        events: list[CodecEvent] = []
        packet = Packet(at_ms=at_ms, kind=kind)
        if kind == "opened":
            codec.connection_made()
        elif kind in {"reset", "afresh"}:
            codec.reset()
        elif kind == "sample":
            codec.request_verification()
        elif kind == "asked":
            codec.next_request(at_ms)
        elif kind == "time":
            events = codec.tick(at_ms)
        elif kind == "status":
            health: SourceHealth = "live" if body == b"live" else "down"
            packet = Packet(at_ms=at_ms, kind="status", text="why", health=health)
            self.updates.append(SourceStatus(health, "why"))
        elif kind == "data":
            packet = data_packet(at_ms, body)
            events = codec.receive_data(body)
            codec.data_to_send()
        else:
            response = Response(request=Request(name="odds", url="/"), status=200, at_ms=at_ms, body=body)
            packet = response_packet(response)
            events = codec.receive_response(response)
            codec.data_to_send()
        self._recorder.add(packet)
        self.updates += updates_of(events)


def updates_of(events: list[Any]) -> list[Any]:
    """Return the updates that reach a sink; what the codec claims about its health does not."""
    batches: list[UpdateBatch] = []
    for event in events:
        if isinstance(event, UpdateBatch):
            batches.append(event)
        elif isinstance(event, VerificationSnapshot):
            batches += event.batches
    return [update for batch in batches for update in batch.updates if not isinstance(update, SourceStatus)]


@given(STEPS, st.integers(50, 2000))
def test_a_recording_played_produces_the_live_updates(steps: list[tuple[str, bytes]], rotate_bytes: int) -> None:
    with TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder), "src", "counting", msgspec.defstruct("Config", [])(), 0, rotate_bytes=rotate_bytes)
        live = Live(recorder)
        for at_ms, (kind, body) in enumerate([("opened", b""), *steps]):
            live.step(kind, body, at_ms)
        recorder.close()
        codec = CountingCodec()
        player = Player(Feed(("src",), codec, poller=codec, ticker=codec, verifier=codec))
        played: list[Any] = []
        with Recordings(recorder.files) as recordings:
            for line in recordings.lines():
                if line.number > 1:
                    batches, _ = player.play(decode_packet(line.data))
                    played += [update for batch in batches for update in batch.updates]
    assert live.updates == played


class WrongCodec(CountingCodec):
    """A codec that passes on what is no price."""

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        books = [BookChange("s-home", quote=nan)]
        return [UpdateBatch("src", None, [MarketUpdate(data.decode(), books=books), EventUpdate(an_event("e1"))])]


def test_a_replay_refuses_what_was_refused_live() -> None:
    batches, rejected = Player(Feed(("src",), WrongCodec())).play(data_packet(1, b"m1"))
    assert [batch.updates for batch in batches] == [[MarketGone("m1"), EventUpdate(an_event("e1"))]]
    assert [each.where for each in rejected] == ["market m1"]
