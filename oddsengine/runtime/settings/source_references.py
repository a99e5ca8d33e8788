"""Checks what a config names as sources: feeds, and their bookmakers where a feed lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.pricing.market.consensus_markets import CONSENSUS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oddsengine.pricing.profiles.profile import Profile
    from oddsengine.runtime.settings.reader import TableReader
    from oddsengine.sourcing.sourcing_rule import SourcingRule


class SourceReferences:
    """Reports sources that no configured feed has.

    Args:
        reader: what the problems are reported to.
        feeds: the names of all feeds, also of those with problems.
        sources: the sources of each feed; a feed without an entry may have any.
    """

    def __init__(self, reader: TableReader, feeds: Sequence[str], sources: Mapping[str, Sequence[str]]) -> None:
        self._reader = reader
        self._feeds = feeds
        self._sources = sources

    def check_profiles(self, profiles: Mapping[str, Profile]) -> None:
        """Report rules that name a source which does not exist. A config without feeds, as a gateway's may be, names any."""
        for key, profile in profiles.items() if self._feeds else ():
            for index, rule in enumerate(profile.rules):
                for source in rule.sources:
                    if source != CONSENSUS:
                        self._check(("profiles", key, "rules", str(index), "source"), source)

    def check_sourcing(self, rules: Sequence[SourcingRule]) -> None:
        """Report sourcing rules that name a source which does not exist, or need more sources than there are."""
        for index, rule in enumerate(rules):
            path = ("sourcing", str(index))
            for field, sources in (("sources", rule.sources), ("weights", rule.weights), ("late_in_play", rule.late_in_play)):
                for source in sources:
                    self._check((*path, field), source)
            self._check_min_sources(path, rule)

    def _check(self, path: tuple[str, ...], source: str) -> None:
        feed, dot, _ = source.partition(".")
        listed = self._sources.get(feed, (feed,))
        if feed not in self._feeds:
            self._reader.report_unknown(path, "feed", source, self._feeds)
        elif dot and source not in listed and feed not in listed:
            self._reader.report_unknown(path, "source", source, listed)

    def _check_min_sources(self, path: tuple[str, ...], rule: SourcingRule) -> None:
        """Report a consensus that could never open a market, where all feeds say which sources they have."""
        if rule.mode != "consensus" or not self._feeds or not self._sources.keys() >= set(self._feeds):
            return
        count = len({each for sources in self._sources.values() for each in sources if rule.rank(each) is not None})
        if count < rule.min_sources:
            of = "of `sources`" if rule.sources else "of the feeds"
            self._reader.report(
                (*path, "min_sources"),
                f"{rule.min_sources}, but {of} there can be {count}: every market of this consensus would stay suspended",
            )
