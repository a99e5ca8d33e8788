"""Fault scenarios: one fault from its start until everything has recovered, judged by what a subscriber saw."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.sourcing.sourcing_rule import SourcingRule
from tests.support.faults.faults import FALLBACKS, Fault
from tests.support.faults.installation import running_installation
from tests.support.faults.observing import is_near
from tests.support.service import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager

    from tests.support.faults.installation import Installation
    from tests.support.faults.observing import MarketKey, Observation

#: How long an affected market may remain open beyond the configured limit.
ALLOWANCE_S: Final = 0.25
#: How far published probabilities may differ from the model's: odds have two decimals, the devig another method, prices a ladder.
TOLERANCE: Final = 0.008
#: The bias of the fallback: its prices differ from the first provider's by more than the tolerance.
BIAS: Final = 0.3
#: How old an open price may be if no fault limits it: a poll or a flush.
_FRESH_S: Final = 1.0
_HOLD_S: Final = 0.3
_MOVING_S: Final = 0.6
_LOOK_S: Final = 0.02


class Outcome(NamedTuple):
    """The result of one fault.

    Attributes:
        adapter: the adapter of the faulty provider.
        fault: the fault.
        left_s: when the last market no longer had the faulty provider's prices, in seconds from the start; None if none had to.
        recovered_s: how long after the fault everything was again as the provider has it.
        violations: what was seen and must not be.
    """

    adapter: str
    fault: Fault
    left_s: float | None
    recovered_s: float
    violations: list[str]


def installation_for(adapter: str, events: int = 40) -> AbstractAsyncContextManager[Installation]:
    """Run the installation for an adapter's faults: its provider is preferred, another one is the fallback."""
    fallback = FALLBACKS[adapter]
    rule = SourcingRule(hold_s=_HOLD_S)
    return running_installation(adapter, fallback, events=events, biases={fallback: BIAS}, sourcing=(rule,))


async def wait_until_consistent(installation: Installation, adapter: str, patience_s: float = PATIENCE_S) -> float:
    """Wait until every published market is as its provider has it. Return the seconds it took."""
    began_s = time.monotonic()
    feeds = (adapter, FALLBACKS[adapter])
    found: list[str] = []
    while (left_s := began_s + patience_s - time.monotonic()) > 0:
        await wait_until(lambda: all(map(installation.is_live, feeds)), "every feed live", left_s)
        installation.pause(paused=True)
        try:
            while all(map(installation.is_live, feeds)) and time.monotonic() - began_s < patience_s:
                if not (found := differences(installation, adapter)):
                    return time.monotonic() - began_s
                await asyncio.sleep(_LOOK_S)
        finally:
            # A feed that was frozen is trusted again only after a change.
            installation.pause(paused=False)
    raise AssertionError(f"{adapter}: not consistent within {patience_s:g} s: {found[:5]}")


def differences(installation: Installation, adapter: str) -> list[str]:
    """Return how published markets differ from the providers': unknown, missing, not open, or at other prices."""
    first, second = installation.model_markets(adapter), installation.model_markets(FALLBACKS[adapter])
    now_s = time.monotonic()
    found: list[str] = []
    for key in installation.subscriber.observations.keys() | first.keys() | second.keys():
        seen = installation.subscriber.at(key, now_s)
        market = first.get(key) or second.get(key)
        if market is None:
            found.append(f"unknown market {key}")
        elif seen is None or seen.implied is None:
            found.append(f"{key} is not open: {None if seen is None else seen.reason}")
        elif not is_near(market.probabilities, seen.implied, TOLERANCE):
            found.append(f"{key} is at {seen.implied}, the provider's is {market.probabilities}")
    return found


async def run_fault(installation: Installation, adapter: str, fault: Fault, slack_s: float = 0.0) -> Outcome:
    """Inject one fault, wait until everything has recovered, and judge.

    Args:
        installation: the installation for the adapter.
        adapter: the adapter of the faulty provider.
        fault: the fault.
        slack_s: additional time for a loaded machine.
    """
    # Prices must have moved since the last scenario, which paused them.
    await asyncio.sleep(_MOVING_S)
    began_s = time.monotonic()
    installation.subscriber.discard_before(began_s)
    for kind in fault.kinds:
        installation.inject_fault(adapter, kind, fault.seconds)
    await asyncio.sleep(fault.seconds)
    ended_s = time.monotonic()
    for kind in fault.kinds:
        installation.inject_fault(adapter, kind, 0.0)
    recovered_s = await wait_until_consistent(installation, adapter)
    judge = _Judge(installation, adapter, began_s, ended_s)
    left_s = None if fault.limit_s is None else judge.left_s()
    return Outcome(adapter, fault, left_s, recovered_s, [*judge.violations(fault.limit_s, slack_s)])


class _Judge:
    """Checks what the subscriber saw during one fault.

    Args:
        installation: where the fault was injected.
        adapter: the adapter of the faulty provider.
        began_s: when the fault began, monotonic seconds.
        ended_s: when it ended.
    """

    def __init__(self, installation: Installation, adapter: str, began_s: float, ended_s: float) -> None:
        self._installation = installation
        self._adapter = adapter
        self._fallback = FALLBACKS[adapter]
        self._first = installation.model_markets(adapter)
        self._second = installation.model_markets(self._fallback)
        self._began_s = began_s
        self._ended_s = ended_s

    def left_s(self) -> float:
        """Return when the last market that the provider had priced was suspended, or priced by the fallback."""
        latest_s = self._began_s
        for key in self._first:
            left_s = self._began_s
            for seen in reversed(self._observations(key)):
                if seen.at_s >= self._ended_s:
                    continue
                is_first = self._is_quoted_by_first(key, seen, seen.at_s, _FRESH_S)
                is_fallback = self._is_quoted_by_fallback(key, seen, seen.at_s, _FRESH_S)
                if seen.at_s <= self._began_s or (seen.implied is not None and (is_first or not is_fallback)):
                    break
                left_s = seen.at_s
            latest_s = max(latest_s, left_s)
        return latest_s - self._began_s

    def violations(self, limit_s: float | None, slack_s: float) -> Iterator[str]:
        """Yield what must not be: faulty prices after the limit, other markets suspended, prices that nobody quoted."""
        if limit_s is not None:
            yield from self._late(self._began_s + limit_s + ALLOWANCE_S + slack_s, slack_s)
        yield from self._wrongly_suspended()
        yield from self._unquoted((limit_s or 0.0) + _FRESH_S + ALLOWANCE_S + slack_s)

    def _late(self, deadline_s: float, slack_s: float) -> Iterator[str]:
        for key in self._first:
            for seen, until_s in self._open_after(key, deadline_s):
                if not self._is_quoted_by_fallback(key, seen, until_s, _FRESH_S + slack_s):
                    yield f"{key} was open at the faulty provider's prices {until_s - self._began_s:.2f} s after the fault began"

    def _wrongly_suspended(self) -> Iterator[str]:
        for key in self._second.keys() - self._first.keys():
            for seen in self._observations(key):
                if seen.at_s > self._began_s and seen.implied is None:
                    yield f"{key} of the other provider was suspended: {seen.reason}"

    def _unquoted(self, age_s: float) -> Iterator[str]:
        for key in self._first:
            for seen, until_s in self._open_after(key, self._began_s):
                is_first = self._is_quoted_by_first(key, seen, until_s, age_s)
                if not is_first and not self._is_quoted_by_fallback(key, seen, until_s, age_s):
                    since_s = until_s - self._began_s
                    yield f"{key} was open {since_s:.2f} s in, at prices that nobody quoted in the last {age_s:g} s"

    def _is_quoted_by_first(self, key: MarketKey, seen: Observation, at_s: float, age_s: float) -> bool:
        return self._installation.was_quoted(self._adapter, self._first.get(key), seen, at_s, age_s, TOLERANCE)

    def _is_quoted_by_fallback(self, key: MarketKey, seen: Observation, at_s: float, age_s: float) -> bool:
        return self._installation.was_quoted(self._fallback, self._second.get(key), seen, at_s, age_s, TOLERANCE)

    def _observations(self, key: MarketKey) -> list[Observation]:
        return self._installation.subscriber.observations.get(key, [])

    def _open_after(self, key: MarketKey, from_s: float) -> Iterator[tuple[Observation, float]]:
        """Yield the observations that were open after a time and before the fault ended, each with its last moment."""
        observations = self._observations(key)
        for place, seen in enumerate(observations):
            until_s = min(observations[place + 1].at_s if place + 1 < len(observations) else self._ended_s, self._ended_s)
            if seen.implied is not None and until_s > from_s and seen.at_s < self._ended_s:
                yield seen, until_s
