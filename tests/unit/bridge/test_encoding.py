"""Law: whatever is read twice, missed or begun anew, a topic's newest messages are the state of the offer."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.bridge.encoding import Encoded, ShardEncoder
from oddsengine.bridge.messages import Message, Subject, command_message
from oddsengine.domain.changes import Meta, Record
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId
from oddsengine.gateway.protocol import encoders
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.streams.positions import ORIGIN, Position
from oddsengine.streams.tailing.reloading_tail import Reload, StreamEntry
from tests.support.builders import a_command, an_event, an_offer_of
from tests.support.streams.entries import sent

EVENTS = ("e1", "e2", "e3")


class Installation:
    """An owner, its entries, a topic, and what bridges keep."""

    def __init__(self) -> None:
        self.offer = OwnedOffer(("default",))
        self.offer.open_epoch(1)
        self.entries: list[StreamEntry] = []
        self.position = ORIGIN
        self.published: set[str] = set()
        #: up to where the last read has come
        self.reached = ORIGIN
        #: the newest state of each key, as a compacted topic has it; None where there is none
        self.topic: dict[str, Any] = {}
        self.encoder: ShardEncoder | None = None

    def commit(self) -> None:
        batch = self.offer.commit(len(self.entries), heartbeat=True)
        assert batch is not None
        self.entries.append(StreamEntry(Position(self.offer.epoch, self.offer.seq), batch, sent(self.offer, batch)))

    def records(self) -> list[Record]:
        events = [entry.record for entry in self.offer.events.values()]
        return [*events, *self.offer.markets.values(), Meta(self.offer.profiles, 0)]

    def read(self, count: int) -> Encoded:
        """Read as a consumer does: entries after the position, or the state where they do not follow it."""
        at = Position(self.offer.epoch, self.offer.seq)
        if self.encoder is None:
            self.encoder = ShardEncoder(0, "default", "decimal", set(self.published))
            if self.position != ORIGIN:
                self.encoder.load(at, self.records())
        after = [entry for entry in self.entries if entry.position > self.position]
        if self.position == ORIGIN or (after and after[0].position != Position(self.position.epoch, self.position.seq + 1)):
            oldest = next((entry.position for entry in self.entries if entry.position.epoch == at.epoch), at)
            resumes = at if self.position == ORIGIN else Position(at.epoch, oldest.seq - 1)
            encoded = self.encoder.reload(Reload("epoch", self.position, resumes, at, self.records()), 0)
            self.reached = resumes
        else:
            same = [entry for entry in after if entry.position.epoch == self.position.epoch][:count]
            encoded = self.encoder.entries(same)
            self.reached = same[-1].position if same else self.position
        return encoded

    def send(self, messages: list[Message]) -> None:
        for message in messages:
            if message.topic == "changes":
                self.topic[message.key] = None if message.is_tombstone else json.loads(message.body).get("state")

    def acknowledge(self, encoded: Encoded) -> None:
        self.published = (self.published | encoded.added) - encoded.gone
        self.position = self.reached

    def expected(self) -> dict[str, Any]:
        return {key: json.loads(encoders.market(record, 0)) for key, record in self.offer.markets.items()}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("price"), st.sampled_from(EVENTS), st.integers(1010, 1020)),
        st.tuples(st.just("remove"), st.sampled_from(EVENTS), st.just(0)),
        st.tuples(st.sampled_from(["read", "die before", "die after", "epoch", "trim"]), st.just(""), st.integers(1, 4)),
    ),
    max_size=30,
)


@given(STEPS)
def test_a_topic_ends_in_the_state_of_the_offer(steps: list[tuple[str, str, int]]) -> None:
    world = Installation()
    for step, event, number in steps:
        if step == "price":
            world.offer.stage_event(an_event(event))
            world.offer.stage_market(an_offer_of(f"{event}/match_odds", {"home": number}))
            world.commit()
        elif step == "remove" and EventId(event) in world.offer.events:
            world.offer.remove_event(EventId(event))
            world.commit()
        elif step == "epoch":
            world.offer.open_epoch(world.offer.epoch + 1)
        elif step == "trim":
            del world.entries[: -number or None]
        elif step in {"read", "die before", "die after"}:
            encoded = world.read(number)
            # A process that ends has noted the keys that it was about to publish, and sent some, all or none of them.
            world.published |= encoded.added
            if step == "read":
                world.send(encoded.messages)
                world.acknowledge(encoded)
            else:
                world.send(encoded.messages[: None if step == "die after" else number])
                world.encoder = None
    world.commit()
    for _ in range(60):
        encoded = world.read(5)
        world.published |= encoded.added
        world.send(encoded.messages)
        world.acknowledge(encoded)
    assert world.expected() == {key: state for key, state in world.topic.items() if state is not None}


def test_words_of_a_routing_key_are_escaped_and_short() -> None:
    message = Message("changes", "change", "m", "1", Subject("ice hockey", "a.b*#", "e" * 200, ""), b"{}")
    assert f"change.ice%20hockey.a%2Eb%2A%23.{'e' * 48}.-" == message.routing_key


def test_a_command_is_about_what_its_scope_names() -> None:
    message = command_message(a_command("suspend", market="b.1/total/ft/2.5", reason="x"), 7)
    assert ("command.-.-.b%2E1.total", "commands-7", "c1") == (message.routing_key, message.id, message.key)
    assert "command.football.-.-.-" == command_message(a_command("suspend", sport="football"), 8).routing_key


def test_an_event_without_markets_is_removed_by_its_key() -> None:
    world = Installation()
    world.offer.stage_event(Event(id=EventId("e1"), sport="football", competition=Competition("c", "C"), name="A v B"))
    world.commit()
    world.acknowledge(world.read(1))
    assert {"e:e1"} == world.published
    world.offer.remove_event(EventId("e1"))
    world.commit()
    encoded = world.read(1)
    assert [("events", "removed", "e1")] == [each[:3] for each in encoded.messages]
    assert {"e:e1"} == encoded.gone


def test_prices_of_an_earlier_epoch_are_those_of_the_profile() -> None:
    """While no bridge ran, a profile was added before the one that is published."""
    earlier = OwnedOffer(("default",))
    earlier.open_epoch(1)
    earlier.stage_event(an_event())
    earlier.stage_market(an_offer_of(prices={"home": 2000}))
    batch = earlier.commit(0)
    assert batch is not None
    entry = StreamEntry(Position(1, 1), batch, sent(earlier, batch))
    for profiles, expected in ((("default",), 2.0), ((), None), (("vip", "default"), None)):
        encoder = ShardEncoder(0, "default", "decimal", (), profiles)
        encoder.load(Position(2, 0), [Meta(("vip", "default"), 0)])
        message = next(each for each in encoder.entries([entry]).messages if each.kind == "change")
        assert expected == json.loads(message.body)["change"]["selections"]["home"]["price"]
