"""How long a client waits for a connection, and before the next one."""

from __future__ import annotations

import asyncio

import pytest

from oddsengine.client.connection.backoff import Backoff
from oddsengine.client.connection.connect_timeout import ConnectTimeout
from oddsengine.client.connection.endings import Ending
from oddsengine.client.errors import NoToken
from oddsengine.client.recovery import Action, Timing
from oddsengine.client.tokens import Tokens


def limits(timeout: ConnectTimeout, count: int) -> list[float]:
    """Return the limits of connections that all take too long."""
    found = []
    for _ in range(count):
        found.append(round(timeout.begin(0.0), 2))
        timeout.timed_out()
    return found


def test_a_swallowed_handshake_is_given_up_soon_and_later_each_time() -> None:
    assert [3.0, 4.5, 6.75, 10.0, 10.0] == limits(ConnectTimeout(Timing()), 5)
    quick = ConnectTimeout(Timing())
    quick.begin(5.0)
    quick.note_welcome(5.03)
    assert 3.0 == quick.limit_s, "it was closed: the gateway may be busy"
    quick.note_silence()
    assert [1.0, 1.5, 2.25, 3.38, 5.06, 7.59, 10.0] == limits(quick, 7)
    assert quick.timed_out(), "no other one may take longer"


def test_a_slow_network_is_granted_what_it_takes() -> None:
    slow = ConnectTimeout(Timing())
    for took_s in (1.2, 0.9, 1.5):
        slow.begin(0.0)
        slow.note_welcome(took_s)
    slow.note_silence()
    assert [3.6, 5.4] == limits(slow, 2)
    slow.begin(0.0)
    slow.note_welcome(9.0)
    slow.note_silence()
    assert 3.6 == round(slow.limit_s, 2), "one slow connection makes no slow network"


def waits(backoff: Backoff, *lasted_s: float | None) -> list[float]:
    """Return the waits after connections that have lasted for so long."""
    found = []
    for each in lasted_s:
        backoff.connection_ended(each)
        found.append(backoff.delay_s(Ending("closed", ""), Action.BACK_OFF, with_other_token=False))
    return found


def test_a_connection_that_has_served_for_a_while_is_soon_replaced() -> None:
    backoff = Backoff(Timing(draw=lambda _, longest: longest))
    assert [0.1, 0.2, 0.4, 0.8, *[0.8] * 25, 1.6] == waits(backoff, *[None] * 30)
    assert [3.2, 0.1, 0.2] == waits(backoff, 0.5, 2.0, None)
    assert [0.1] == waits(backoff, 10.0)


async def test_a_function_for_tokens_may_never_answer() -> None:
    async def source() -> str:
        return str(await asyncio.Event().wait())

    with pytest.raises(NoToken, match="the function for tokens has not answered within"):
        await Tokens(source, Timing(token_s=0.01)).take()


async def test_a_task_for_tokens_is_the_application_s_own() -> None:
    """Others may wait for it too. Once it is cancelled, whoever reads messages is not: there is no token."""
    asking = asyncio.ensure_future(asyncio.sleep(3600.0, "token"))
    tokens = Tokens(lambda: asking, Timing(token_s=0.01))
    with pytest.raises(NoToken, match="has not answered within"):
        await tokens.take()
    assert not asking.done()
    asking.cancel()
    with pytest.raises(NoToken, match="has cancelled it"):
        await tokens.take()
