"""Reprices recordings and compares that with what was published: as the history has it, or by older settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.repricing.comparison import NEW, THEN, Comparison
from oddsengine.repricing.views import Observation
from oddsengine.runtime.feed_runner import feed_sources
from oddsengine.runtime.replay import Replay
from oddsengine.runtime.replay_commands import RecordedCommands, read_commands
from oddsengine.runtime.repricing.priced_replay import PricedReplay
from oddsengine.runtime.repricing.timeline import Unknown
from oddsengine.runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from feeds.recording.reader import Recordings
    from oddsengine.domain.ids import MarketId
    from oddsengine.repricing.report import Report
    from oddsengine.runtime.repricing.archived_offer import ArchivedOffer

#: Later than every time, Unix milliseconds.
_NEVER_MS: Final = 2**62


class UnknownProfile(ValueError):
    """A profile that is to be compared is missing on one side.

    Args:
        profile: its name.
        where: on which side.
        known: the profiles there.
    """

    def __init__(self, profile: str, where: str, known: Sequence[str]) -> None:
        self.profile = profile
        super().__init__(f"there is no profile {profile!r} in {where}; there are: {', '.join(known) or 'none'}")


class NothingInCommon(ValueError):
    """There is no time to compare."""

    def __init__(self) -> None:
        super().__init__("nothing to compare: the recordings have nothing of this time")


class Plan(NamedTuple):
    """The comparison to make.

    Attributes:
        settings: by which recordings are repriced. Their feeds are not used, but for the order of their sources.
        profiles: the profiles to compare.
        since_ms: where to begin, Unix milliseconds; None: with the recordings.
        until_ms: where to end; None: with the recordings.
        adapter: the adapter of recordings that do not name theirs.
        commands: a file of what people commanded, as `oddsengine commands --all` prints it; None: what the history has of it.
    """

    settings: Settings
    profiles: Sequence[str]
    since_ms: int | None
    until_ms: int | None
    adapter: str
    commands: Path | None


class _ReplayedOffer:
    """The offer that given settings publish of recordings."""

    def __init__(self, replay: Replay, settings: Settings, commands: RecordedCommands) -> None:
        sources = sorted(replay.sources, key=_preference(feed_sources(settings.feeds)))
        self._priced = PricedReplay(replay, settings, commands, sources, keeps_time=True)
        #: event -> its markets on offer
        self._markets: dict[str, dict[MarketId, None]] = {}

    @property
    def first_ms(self) -> int:
        """The first time of the recordings, once anything was published."""
        return self._priced.first_ms

    @property
    def last_ms(self) -> int:
        """The time up to which they were priced."""
        return self._priced.priced_ms

    def observations(self, wait: Callable[[int], None]) -> Iterator[Observation]:
        """Yield what was published. Each record is valid until the next is asked for."""
        for at_ms, _, offer, batch in self._priced.batches(wait):
            profiles = offer.profiles
            for removal in batch.removals:
                gone = [removal.id] if removal.kind == "market" else list(self._markets.pop(removal.event, ()))
                for market in gone:
                    yield Observation(at_ms, market, None, profiles)  # type: ignore[arg-type]
            for change in batch.markets:
                record = offer.markets.get(change.id)
                if record is not None:
                    self._markets.setdefault(record.identity.event, {})[change.id] = None
                    yield Observation(at_ms, change.id, record, profiles)


def _preference(sources: Sequence[str]) -> Callable[[str], int]:
    """Return what sources are sorted by: those of a config in its order, then the others in theirs."""
    order = {source: i for i, source in enumerate(sources)}
    return lambda source: order.get(source, len(order))


class Reprice:
    """A comparison that is made once.

    Args:
        plan: what is compared.
        recordings: the recordings, open.
        report: is called with a line of text for each problem of a recording.
        progress: is called with each recorded time.
    """

    def __init__(
        self, plan: Plan, recordings: Recordings, report: Callable[[str], None], progress: Callable[[int], None] = lambda _: None
    ) -> None:
        self._plan = plan
        self._progress = progress
        self._replay = Replay(recordings, plan.adapter, report)
        self._commands = RecordedCommands() if plan.commands is None else read_commands(plan.commands)
        for profile in plan.profiles:
            _require(profile, "--config", tuple(plan.settings.profiles))

    async def with_history(self, archived: ArchivedOffer) -> Report:
        """Compare with what the history has.

        Raises:
            NothingInCommon: if the recordings have nothing of this time.
            UnknownProfile: if the history has no prices of a profile.
            HistoryError: if it has nothing of this time.
        """
        end_ms = await archived.end_ms()
        commands = await archived.commands() if self._plan.commands is None else self._commands
        new = _ReplayedOffer(self._replay, self._plan.settings, commands)
        comparison, markets = await self._compare(new, archived.observations(), end_ms)
        async for seen in archived.results(markets):
            comparison.observe(THEN, seen)
        return self._finish(comparison, new, "the history")

    async def with_settings(self, settings: Settings, recordings: Recordings) -> Report:
        """Compare with what other settings would have published of the same recordings, read a second time.

        Raises:
            NothingInCommon: if the recordings have nothing of this time.
            UnknownProfile: if these settings do not have a profile.
        """
        for profile in self._plan.profiles:
            _require(profile, "--against", tuple(settings.profiles))
        # The problems of the recordings are reported once.
        replay = Replay(recordings, self._plan.adapter, lambda _: None)
        commands = RecordedCommands() if self._plan.commands is None else read_commands(self._plan.commands)
        then = _ReplayedOffer(replay, settings, commands)
        new = _ReplayedOffer(self._replay, self._plan.settings, self._commands)

        async def observations() -> AsyncIterator[Observation | Unknown]:
            for seen in then.observations(lambda _: None):
                yield seen

        comparison, _ = await self._compare(new, observations(), None)
        return self._finish(comparison, new, "--against")

    async def _compare(
        self, offer: _ReplayedOffer, then: AsyncIterator[Observation | Unknown], end_ms: int | None
    ) -> tuple[Comparison, list[MarketId]]:
        plan, new = self._plan, offer.observations(self._progress)
        ahead = next(new, None)
        since_ms = max(plan.since_ms or 0, offer.first_ms)
        until_ms = min(_NEVER_MS if plan.until_ms is None else plan.until_ms, end_ms or _NEVER_MS)
        if until_ms <= offer.first_ms:
            # Without pricing all of them, for results that come later.
            raise NothingInCommon
        comparison = Comparison(plan.profiles, since_ms, until_ms)
        async for seen in then:
            while ahead is not None and ahead.at_ms < seen.at_ms:
                comparison.observe(NEW, ahead)
                ahead = next(new, None)
            if ahead is None and seen.at_ms > offer.last_ms:
                break
            if not isinstance(seen, Unknown):
                comparison.observe(THEN, seen)
            elif seen.is_over:
                comparison.regain(seen.at_ms)
            else:
                comparison.lose(seen.at_ms)
        # Results may come after the end. Where they come from the history, nothing after it has to be priced.
        while ahead is not None and (end_ms is None or ahead.at_ms < until_ms):
            comparison.observe(NEW, ahead)
            ahead = next(new, None)
        return comparison, comparison.markets

    def _finish(self, comparison: Comparison, offer: _ReplayedOffer, where: str) -> Report:
        for profile in self._plan.profiles:
            _require(profile, where, sorted(comparison.seen_profiles[THEN]))
        report = comparison.finish(offer.last_ms)
        if not report.lines:
            raise NothingInCommon
        return report


def _require(profile: str, where: str, known: Sequence[str]) -> None:
    if profile not in known:
        raise UnknownProfile(profile, where, known)
