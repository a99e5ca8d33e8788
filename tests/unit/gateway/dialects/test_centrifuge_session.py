"""What the hub sends, as Centrifuge has it."""

from __future__ import annotations

from typing import Any

import pytest

from oddsengine.gateway.access.admission import Admission
from oddsengine.gateway.access.authentication import Authenticator
from oddsengine.gateway.access.grants import Access, Role, SessionLimits
from oddsengine.gateway.access.settings import AuthSettings, LimitSettings
from oddsengine.gateway.dialects.centrifuge.dialect import CentrifugeDialect
from oddsengine.gateway.dialects.centrifuge.session import CentrifugeSession
from oddsengine.gateway.dialects.dialect import SessionAccess
from oddsengine.gateway.protocol.codes import Close
from oddsengine.gateway.protocol.framing import TEXT, Framing
from tests.support.hub_harness import Gateway, Wire


class Sdk:
    """A session of an SDK that has connected."""

    def __init__(self, gateway: Gateway, framing: Framing = TEXT) -> None:
        hub = gateway.hub
        admission = Admission(Authenticator(AuthSettings(), SessionLimits()), LimitSettings(), (), (), lambda: 0.0)
        self.dialect = CentrifugeDialect(hub, SessionAccess(hub, admission))
        self.gateway, self.wire = gateway, Wire()
        self.session = CentrifugeSession("s1", self.wire, framing)
        hub.add(self.session, Access(subject="test"))
        self.session.is_connected = True

    async def send(self, command: str) -> list[Any]:
        """Send a command. Return what was written since the last one."""
        wait = self.dialect.receive(self.session, command)
        if wait is not None:
            await wait()
        return self.wire.messages()


def recovering(subscribed: Any, offset: int, **fields: Any) -> str:
    epoch = subscribed["subscribe"]["epoch"]
    data = f',"data":{fields["data"]}' if fields else ""
    return f'{{"id":9,"subscribe":{{"channel":"event:e1","recover":true,"epoch":"{epoch}","offset":{offset}{data}}}}}'


SUBSCRIBE = '{"id":1,"subscribe":{"channel":"event:e1"}}'


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(on_offer={"e1": 2000, "e2": 3000}, stale_suspend_after_s=3.0)


async def test_a_channel_is_a_snapshot_and_then_changes_as_publications(gateway: Gateway) -> None:
    sdk = Sdk(gateway)
    subscribed, snapshot = await sdk.send(SUBSCRIBE)
    assert (1, False, True) == (subscribed["id"], subscribed["subscribe"]["recovered"], subscribed["subscribe"]["recoverable"])
    assert "event:e1" == snapshot["push"]["channel"]
    assert ("snapshot", True) == tuple(snapshot["push"]["pub"]["data"][key] for key in ("op", "last"))
    gateway.publish(e1=2100)
    (delta,) = sdk.wire.messages()
    assert 2.1 == delta["push"]["pub"]["data"]["markets"][0]["selections"]["home"]["price"]
    assert delta["push"]["pub"]["offset"] == snapshot["push"]["pub"]["offset"] + 1
    (failed,) = await sdk.send(SUBSCRIBE)
    assert 105 == failed["error"]["code"]
    assert [{"id": 2, "unsubscribe": {}}] == await sdk.send('{"id":2,"unsubscribe":{"channel":"event:e1"}}')
    gateway.publish(e1=2200)
    assert [] == sdk.wire.messages()


async def test_what_was_missed_is_sent_and_with_other_prices_a_snapshot(gateway: Gateway) -> None:
    sdk = Sdk(gateway)
    subscribed, snapshot = await sdk.send(SUBSCRIBE)
    gateway.publish(e1=2100)
    offset = snapshot["push"]["pub"]["offset"]
    again, delta, live = await Sdk(gateway).send(recovering(subscribed, offset))
    assert (True, offset) == (again["subscribe"]["recovered"], again["subscribe"]["offset"])
    assert ["delta", "live"] == [each["push"]["pub"]["data"]["op"] for each in (delta, live)]
    for command in (recovering(subscribed, offset, data='{"format":"american"}'), recovering(subscribed, 0)):
        again, full, *_ = await Sdk(gateway).send(command)
        assert (False, "snapshot") == (again["subscribe"]["recovered"], full["push"]["pub"]["data"]["op"])
    gateway.change_owner(0)
    again, *_ = await Sdk(gateway).send(recovering(subscribed, offset + 1))
    assert not again["subscribe"]["recovered"]


async def test_channels_of_the_console_are_snapshots_that_do_not_recover(gateway: Gateway) -> None:
    sdk = Sdk(gateway)
    sdk.gateway.hub.grant(sdk.session, Access(subject="ann", role=Role.trader))
    gateway.hub.console.floor.has_commands = True
    subscribed, snapshot = await sdk.send('{"id":1,"subscribe":{"channel":"console:commands","recover":true,"epoch":"x"}}')
    assert {"id": 1, "subscribe": {}} == subscribed
    assert ("console:commands", []) == (snapshot["push"]["channel"], snapshot["push"]["pub"]["data"]["commands"])


async def test_sessions_of_one_dialect_share_an_audience(gateway: Gateway) -> None:
    sdks = [Sdk(gateway), Sdk(gateway)]
    for sdk in sdks:
        await sdk.send(SUBSCRIBE)
    native, _ = gateway.joins("event:e1")
    one, other = (sdk.session.subscriptions["event:e1"].audience for sdk in sdks)
    assert one is other is not native.subscriptions["event:e1"].audience


async def test_stale_suspended_and_live_again_are_publications(gateway: Gateway) -> None:
    sdk = Sdk(gateway)
    subscribed, *_ = await sdk.send(SUBSCRIBE)
    gateway.now_s = 5.0
    gateway.hub.sweep()
    stale, suspended = (each["push"]["pub"] for each in sdk.wire.messages())
    assert "stale" == stale["data"]["op"]
    assert ("suspended", "stale") == tuple(suspended["data"]["markets"][0][key] for key in ("status", "reason"))
    gateway.publish(e1=2100)
    await gateway.settled()
    assert {"snapshot", "live"} == {each["push"]["pub"]["data"]["op"] for each in sdk.wire.messages()}
    again, *_ = await Sdk(gateway).send(recovering(subscribed, suspended["offset"]))
    assert not again["subscribe"]["recovered"], "its markets would stay suspended"


async def test_heartbeats_are_pings_in_the_promised_interval_that_must_be_answered(gateway: Gateway) -> None:
    sdk = Sdk(gateway)
    gateway.now_s = 100.0
    gateway.hub.heartbeat()
    assert [] == sdk.wire.messages()
    for _ in range(2):
        sdk.dialect._ping(sdk.session)
        sdk.dialect.session_ended(sdk.session)
        assert [{}] == sdk.wire.messages()
        await sdk.send("{}")
    sdk.dialect._ping(sdk.session)
    sdk.dialect.session_ended(sdk.session)
    sdk.dialect._ping(sdk.session)
    sdk.dialect.session_ended(sdk.session)
    assert not sdk.session.is_open
    assert (3012).to_bytes(2, "big") in sdk.wire.written


async def test_a_channel_that_is_not_granted_any_more_is_ended_with_the_reason(gateway: Gateway) -> None:
    sdk = Sdk(gateway)
    await sdk.send(SUBSCRIBE)
    gateway.hub.grant(sdk.session, Access(subject="test", channels=("event:e2",)))
    (push,) = sdk.wire.messages()
    assert ("event:e1", 2000) == (push["push"]["channel"], push["push"]["unsubscribe"]["code"])
    assert "not granted" in push["push"]["unsubscribe"]["reason"]


@pytest.mark.parametrize(
    ("command", "code", "temporary"),
    [
        ('{"id":3,"subscribe":{"channel":"event:none"}}', 102, True),
        ('{"id":3,"subscribe":{"channel":"event:e1","data":{"format":"roman"}}}', 107, False),
        ('{"id":3,"publish":{"channel":"event:e1","data":{}}}', 108, False),
        ('{"id":3,"history":{"channel":"event:e1"}}', 108, False),
    ],
)
async def test_what_is_refused_says_whether_to_try_again(gateway: Gateway, command: str, code: int, *, temporary: bool) -> None:
    (failed,) = await Sdk(gateway).send(command)
    assert (3, code, temporary) == (failed["id"], failed["error"]["code"], failed["error"]["temporary"])


@pytest.mark.parametrize("data", ['{"formt":"decimal"}', '{"min_interval_ms":"fast"}', '{"format":null}', "[]", "5"])
async def test_what_an_application_asks_for_wrongly_costs_nothing_but_that(gateway: Gateway, data: str) -> None:
    sdk = Sdk(gateway)
    await sdk.send(SUBSCRIBE)
    (failed,) = await sdk.send(f'{{"id":3,"subscribe":{{"channel":"event:e2","data":{data}}}}}')
    assert (3, 107, False) == (failed["id"], failed["error"]["code"], failed["error"]["temporary"])
    assert "`$.subscribe.data" in failed["error"]["message"]
    assert sdk.session.is_open
    assert {"event:e1"} == sdk.session.subscriptions.keys()


@pytest.mark.parametrize("close", list(Close))
def test_every_closing_code_has_one_of_centrifugo(gateway: Gateway, close: Close) -> None:
    sdk = Sdk(gateway)
    gateway.hub.end(sdk.session, close, "why")
    code = int.from_bytes(bytes(sdk.wire.written)[2:4], "big")
    # From 3500 on an SDK does not reconnect: only where it would send the same again.
    assert (close is Close.BAD_MESSAGE) == (code >= 3500)
    assert 3000 <= code < 4000
