"""Settings of a hub that are changed while it serves."""

from __future__ import annotations

from oddsengine.gateway.access.grants import Access
from oddsengine.gateway.hub.settings import HubSettings
from oddsengine.gateway.protocol.client_messages import Subscribe
from tests.support.hub_harness import Gateway, Wire


def beats(wire: Wire) -> int:
    return sum(message["op"] == "heartbeat" for message in wire.messages())


def test_a_longer_heartbeat_time_holds_for_sessions_that_are_opened_then() -> None:
    gateway = Gateway()
    _, early = gateway.joins()
    gateway.hub.use(HubSettings(heartbeat_ms=20_000))
    _, late = gateway.joins()
    assert [5000, 20_000] == [wire.messages()[0]["heartbeat_ms"] for wire in (early, late)]
    gateway.now_s = 6.0
    gateway.hub.heartbeat()
    assert [1, 0] == [beats(early), beats(late)]
    gateway.hub.use(HubSettings(heartbeat_ms=1000))
    gateway.now_s = 7.5
    gateway.hub.heartbeat()
    assert [1, 1] == [beats(early), beats(late)]


async def test_another_profile_for_tokens_without_one_is_served_from_a_snapshot() -> None:
    """A diff would leave a client with the prices of both."""
    gateway = Gateway(on_offer={"e1": 2000})
    session, wire = gateway.joins("event:e1")
    at = next(message["at"] for message in wire.messages() if message["op"] == "snapshot")
    own = gateway.hub.open(Wire(), Access(subject="own", profile="default"))
    gateway.hub.handle(own, Subscribe(channels=["event:e1"]))
    gateway.hub.use(HubSettings(profile="gold"))
    assert (False, True) == (session.is_open, own.is_open)
    _, wire = gateway.joins("event:e1", resume=at)
    assert [False] == [message["resumed"] for message in wire.messages() if message["op"] == "subscribed"]
    gateway.publish(e1=2100)
    await gateway.settled()
    at = wire.messages()[-1]["at"]
    gateway.publish(e1=2200)
    _, wire = gateway.joins("event:e1", resume=at)
    assert [True] == [message["resumed"] for message in wire.messages() if message["op"] == "subscribed"]


async def test_a_hub_suspends_and_remembers_by_other_times() -> None:
    gateway = Gateway(on_offer={"e1": 2000}, stale_suspend_after_s=3.0)
    gateway.joins("event:e1")
    gateway.hub.use(HubSettings(stale_suspend_after_s=10.0))
    gateway.now_s = 5.0
    gateway.hub.sweep()
    assert set() == gateway.replica.stale_suspended
    gateway.now_s = 11.0
    gateway.hub.sweep()
    assert {0} == gateway.replica.stale_suspended
