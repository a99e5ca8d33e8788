"""One fault from its beginning to the end of its healing, judged by what a subscriber was told."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.sourcing.source_selector import SourcingRule
from tests.support.faults.faults import FALLBACKS, Fault
from tests.support.faults.installation import PATIENCE_S, is_near, staged, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager

    from tests.support.faults.installation import Identity, Stage, Told

#: What an affected market may take beyond the configured limit.
ALLOWANCE_S: Final = 0.25
#: How far published probabilities may be from the truth they come from: two decimals of odds, another devig, a ladder.
TOLERANCE: Final = 0.008
#: The fallback's opinion: further from the first one's than any tolerance.
BIAS: Final = 0.3
#: How old the truth behind an open price may be where no fault limits it: a poll or a flush.
_FRESH_S: Final = 1.0
_HOLD_S: Final = 0.3
_MOVING_S: Final = 0.6
_LOOK_S: Final = 0.02


class Outcome(NamedTuple):
    """What came of one fault.

    `left_s`: when the last affected market had left the faulty provider, None where none had to; `healed_s`: how long after the
    end of the fault everything was again as the provider holds it; `wrong`: what was seen that must not be.
    """

    adapter: str
    fault: Fault
    left_s: float | None
    healed_s: float
    wrong: list[str]


def stage_for(adapter: str, events: int = 40) -> AbstractAsyncContextManager[Stage]:
    """Set the stage for an adapter's faults: itself first, another provider behind it."""
    fallback = FALLBACKS[adapter]
    rule = SourcingRule(hold_s=_HOLD_S)
    return staged(adapter, fallback, events=events, biases={fallback: BIAS}, sourcing=(rule,))


async def settle(stage: Stage, adapter: str, patience_s: float = PATIENCE_S) -> float:
    """Wait until the published state is the providers' truth, market by market; give the seconds it took."""
    began_s = time.monotonic()
    feeds = (adapter, FALLBACKS[adapter])
    found: list[str] = []
    while (left_s := began_s + patience_s - time.monotonic()) > 0:
        await until(lambda: all(map(stage.is_live, feeds)), "every feed live", left_s)
        stage.pause(paused=True)
        try:
            while all(map(stage.is_live, feeds)) and time.monotonic() - began_s < patience_s:
                if not (found := differences(stage, adapter)):
                    return time.monotonic() - began_s
                await asyncio.sleep(_LOOK_S)
        finally:
            # A feed that has to prove itself can do so only while something moves.
            stage.pause(paused=False)
    raise AssertionError(f"{adapter}: the providers' truth did not come within {patience_s:g} s: {found[:5]}")


def differences(stage: Stage, adapter: str) -> list[str]:
    """Compare what is published with the truth: ghosts, markets that are missing or closed, and other prices."""
    first, second = stage.truth(adapter), stage.truth(FALLBACKS[adapter])
    now_s = time.monotonic()
    found: list[str] = []
    for identity in stage.watcher.told.keys() | first.keys() | second.keys():
        told = stage.watcher.in_force(identity, now_s)
        market = first.get(identity) or second.get(identity)
        if market is None:
            found.append(f"ghost {identity}")
        elif told is None or told.implied is None:
            found.append(f"{identity} is not open: {None if told is None else told.reason}")
        elif not is_near(market.probabilities, told.implied, TOLERANCE):
            found.append(f"{identity} says {told.implied}, the truth is {market.probabilities}")
    return found


async def play(stage: Stage, adapter: str, fault: Fault, slack_s: float = 0.0) -> Outcome:
    """Inject one fault, let it heal, and judge.

    Args:
        stage: set for the adapter.
        adapter: who goes wrong.
        fault: how.
        slack_s: what a loaded machine is given beyond the allowance.
    """
    # Nothing may still be quiet from the last settling.
    await asyncio.sleep(_MOVING_S)
    began_s = time.monotonic()
    stage.watcher.forget_before(began_s)
    for kind in fault.kinds:
        stage.inject_fault(adapter, kind, fault.seconds)
    await asyncio.sleep(fault.seconds)
    ended_s = time.monotonic()
    for kind in fault.kinds:
        stage.inject_fault(adapter, kind, 0.0)
    healed_s = await settle(stage, adapter)
    judge = _Judge(stage, adapter, began_s, ended_s)
    left_s = None if fault.limit_s is None else judge.left_s()
    return Outcome(adapter, fault, left_s, healed_s, [*judge.wrong(fault.limit_s, slack_s)])


class _Judge:
    """Looks back at one fault."""

    def __init__(self, stage: Stage, adapter: str, began_s: float, ended_s: float) -> None:
        self._stage = stage
        self._adapter = adapter
        self._fallback = FALLBACKS[adapter]
        self._first = stage.truth(adapter)
        self._second = stage.truth(self._fallback)
        self._began_s = began_s
        self._ended_s = ended_s

    def left_s(self) -> float:
        """Tell when the last market that the provider had priced was suspended, or priced by the other one."""
        latest_s = self._began_s
        for identity, market in self._first.items():
            other = self._second.get(identity)
            away_s = self._began_s
            for told in reversed(self._stage.watcher.told.get(identity, [])):
                if told.at_s >= self._ended_s:
                    continue
                mine = self._stage.was_true(self._adapter, market, told, told.at_s, _FRESH_S, TOLERANCE)
                theirs = self._stage.was_true(self._fallback, other, told, told.at_s, _FRESH_S, TOLERANCE)
                if told.at_s <= self._began_s or (told.implied is not None and (mine or not theirs)):
                    break
                away_s = told.at_s
            latest_s = max(latest_s, away_s)
        return latest_s - self._began_s

    def wrong(self, limit_s: float | None, slack_s: float) -> Iterator[str]:
        """Say what must not have been: on the faulty provider after the deadline, or ever open on what was not true."""
        if limit_s is not None:
            yield from self._late(self._began_s + limit_s + ALLOWANCE_S + slack_s, slack_s)
        yield from self._disturbed()
        yield from self._untrue((limit_s or 0.0) + _FRESH_S + ALLOWANCE_S + slack_s)

    def _late(self, deadline_s: float, slack_s: float) -> Iterator[str]:
        for identity in self._first:
            other = self._second.get(identity)
            for told, at_s in self._moments(identity, deadline_s):
                if not self._stage.was_true(self._fallback, other, told, at_s, _FRESH_S + slack_s, TOLERANCE):
                    yield f"{identity} was open on the faulty provider {at_s - self._began_s:.2f} s after the fault began"

    def _disturbed(self) -> Iterator[str]:
        for identity in self._second.keys() - self._first.keys():
            for told in self._stage.watcher.told.get(identity, ()):
                if told.at_s > self._began_s and told.implied is None:
                    yield f"{identity} of the other provider was suspended: {told.reason}"

    def _untrue(self, age_s: float) -> Iterator[str]:
        for identity, market in self._first.items():
            other = self._second.get(identity)
            for told, at_s in self._moments(identity, self._began_s):
                if not self._stage.was_true(self._adapter, market, told, at_s, age_s, TOLERANCE) and not self._stage.was_true(
                    self._fallback, other, told, at_s, age_s, TOLERANCE
                ):
                    since_s = at_s - self._began_s
                    yield f"{identity} was open {since_s:.2f} s in, at what nobody held true in the last {age_s:g} s"

    def _moments(self, identity: Identity, from_s: float) -> Iterator[tuple[Told, float]]:
        """Give what was told open from a time to the fault's end, each with the last moment at which it held."""
        told = self._stage.watcher.told.get(identity, [])
        for place, each in enumerate(told):
            until_s = min(told[place + 1].at_s if place + 1 < len(told) else self._ended_s, self._ended_s)
            if each.implied is not None and until_s > from_s and each.at_s < self._ended_s:
                yield each, until_s
