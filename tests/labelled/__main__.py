"""Runs the matcher over the labelled pairs: `python -m tests.labelled` lists what is possible or missed, and the figures."""

from __future__ import annotations

import sys
from collections import Counter

from oddsengine.sourcing.matching.compare import compare, profile
from oddsengine.sourcing.matching.names import NameNormaliser
from oddsengine.sourcing.matching.settings import MatchingSettings
from tests.labelled.pairs import pairs


def main() -> None:
    """Print the possible matches, those that are decided wrongly, and the counts."""
    names, settings = NameNormaliser(), MatchingSettings()
    counts: Counter[tuple[bool, str]] = Counter()
    kinds: Counter[str] = Counter()
    for pair in pairs():
        comparison = compare(profile(pair.one, names), profile(pair.other, names), settings)
        counts[pair.same, comparison.decision] += 1
        kinds[pair.kind] += 1
        if comparison.decision != ("match" if pair.same else "non_match") and pair.kind != "later":
            label = "same" if pair.same else "different"
            sys.stdout.write(
                f"{label:9} {comparison.decision:5} {comparison.score:.2f} {pair.one.sport}: {pair.one.name} ~ {pair.other.name}"
                f" ({'; '.join(comparison.why)})\n"
            )
    same = sum(count for (is_same, _), count in counts.items() if is_same)
    sys.stdout.write(f"{sum(counts.values()):,} pairs: {', '.join(f'{count:,} {kind}' for kind, count in kinds.items())}\n")
    sys.stdout.write(f"wrong merges: {counts[False, 'same']}, recall: {counts[True, 'match'] / same:.4f}\n")
    sys.stdout.write(f"the same: {counts[True, 'possible_match']} possible matches, {counts[True, 'non_match']} non-matches\n")
    sys.stdout.write(f"different: {counts[False, 'possible_match']} possible matches, {counts[False, 'non_match']} non-matches\n")


if __name__ == "__main__":
    main()
