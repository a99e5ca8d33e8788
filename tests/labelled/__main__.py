"""Runs the matcher over the labelled pairs: `python -m tests.labelled` lists what is in doubt or missed, and the figures."""

from __future__ import annotations

import sys
from collections import Counter

from oddsengine.sourcing.matching.compare import compare, profile
from oddsengine.sourcing.matching.names import NameNormaliser
from oddsengine.sourcing.matching.settings import MatchingSettings
from tests.labelled.pairs import pairs


def main() -> None:
    """Print the pairs that are in doubt, those that are decided wrongly, and the counts."""
    names, settings = NameNormaliser(), MatchingSettings()
    counts: Counter[tuple[bool, str]] = Counter()
    kinds: Counter[str] = Counter()
    for pair in pairs():
        comparison = compare(profile(pair.one, names), profile(pair.other, names), settings)
        counts[pair.same, comparison.decision] += 1
        kinds[pair.kind] += 1
        if comparison.decision != ("same" if pair.same else "apart") and pair.kind != "later":
            label = "same" if pair.same else "different"
            sys.stdout.write(
                f"{label:9} {comparison.decision:5} {comparison.score:.2f} {pair.one.sport}: {pair.one.name} ~ {pair.other.name}"
                f" ({'; '.join(comparison.why)})\n"
            )
    same = sum(count for (is_same, _), count in counts.items() if is_same)
    sys.stdout.write(f"{sum(counts.values()):,} pairs: {', '.join(f'{count:,} {kind}' for kind, count in kinds.items())}\n")
    sys.stdout.write(f"wrong merges: {counts[False, 'same']}, recall: {counts[True, 'same'] / same:.4f}\n")
    sys.stdout.write(f"the same in doubt: {counts[True, 'doubt']}, apart: {counts[True, 'apart']}\n")
    sys.stdout.write(f"different in doubt: {counts[False, 'doubt']}, apart: {counts[False, 'apart']}\n")


if __name__ == "__main__":
    main()
