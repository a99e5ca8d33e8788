"""The laws of splitting messages into chunks."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.protocol.chunking import ChunkLimits, Content, delta_frames, needs_chunks, snapshot_frames
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.protocol.encoders import JSON, delta_head
from oddsengine.gateway.protocol.framing import Framing

fragments = st.lists(st.integers(1, 60).map(lambda size: b'"' + b"x" * size + b'"'), max_size=30)
limits = st.builds(ChunkLimits, chunk_bytes=st.integers(1, 300), min_fragments=st.integers(0, 40))
EVENTS = DeliveryOptions(None, "decimal", 0, JSON, Framing(are_events=True))


def read_events(frames: list[bytes]) -> list[tuple[str | None, dict[str, object]]]:
    """Return the id and the message of each server-sent event."""
    found = []
    for chunk in frames:
        lines = dict(line.split(": ", 1) for line in chunk.decode().split("\r\n")[1].splitlines() if line)
        found.append((lines.get("id"), orjson.loads(lines["data"])))
    return found


@given(events=fragments, markets=fragments, limits=limits)
def test_chunks_are_the_content_in_order_within_the_limit(events: list[bytes], markets: list[bytes], limits: ChunkLimits) -> None:
    chunks = list(Content(events, markets).chunks(limits))
    assert [False] * (len(chunks) - 1) + [True] == [is_last for _, is_last in chunks]
    assert events == [fragment for chunk, _ in chunks for fragment in chunk.events]
    assert markets == [fragment for chunk, _ in chunks for fragment in chunk.markets]
    first_market = next((number for number, (chunk, _) in enumerate(chunks) if chunk.markets), len(chunks))
    assert not any(chunk.events for chunk, _ in chunks[first_market + 1 :]), "all events come first"
    for chunk, _ in chunks:
        together = [*chunk.events, *chunk.markets]
        assert sum(map(len, together)) <= limits.chunk_bytes or 1 == len(together)


@given(events=fragments, markets=fragments, limits=limits)
def test_what_needs_no_chunks_is_short_or_has_few_fragments(
    events: list[bytes], markets: list[bytes], limits: ChunkLimits
) -> None:
    if needs_chunks(events, markets, limits):
        assert len(events) + len(markets) >= limits.min_fragments
        assert len(events) + len(markets) == 1 or 1 < len(list(Content(events, markets).chunks(limits)))
    elif len(events) + len(markets) >= limits.min_fragments:
        assert 1 == len(list(Content(events, markets).chunks(limits)))


@given(events=fragments, markets=fragments, limits=limits)
def test_only_the_last_part_of_a_snapshot_has_a_position(events: list[bytes], markets: list[bytes], limits: ChunkLimits) -> None:
    parts = read_events(snapshot_frames("sport:football", Content(events, markets), "0:1:2", EVENTS, limits))
    assert list(range(1, len(parts) + 1)) == [message["part"] for _, message in parts]
    assert [None] * (len(parts) - 1) + ["0:1:2"] == [at for at, _ in parts]
    assert [False] * (len(parts) - 1) + [True] == [message["last"] for _, message in parts]


@given(events=fragments, markets=fragments, limits=limits)
def test_a_client_without_the_last_part_of_a_delta_is_where_it_was(
    events: list[bytes], markets: list[bytes], limits: ChunkLimits
) -> None:
    frames = delta_frames(delta_head("sport:football"), Content(events, markets), "0:1:3", "0:1:2", 7, EVENTS, limits)
    parts = read_events(frames)
    positions = ["0:1:2"] * (len(parts) - 1) + ["0:1:3"]
    assert positions == [at for at, _ in parts] == [message["at"] for _, message in parts]
    assert {7} == {message["ts"] for _, message in parts}
