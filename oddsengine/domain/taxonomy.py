"""Market types, and the standings a market or a selection can have.

The statuses are the field's: a market is `open`, `suspended` (no bets now) or `closed` (no bets any more); a selection
is `active`, `suspended` or `removed`, and once resulted `winner`, `loser`, `void` or `placed`.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

MarketType = Literal[
    "match_odds",  # three-way: home, draw, away
    "moneyline",  # two-way, no draw offered
    "total",  # over and under a line
    "handicap",  # three-way or whole-number head start
    "asian_handicap",  # quarter-ball lines, stakes may be split or returned
    "both_to_score",  # yes or no
    "correct_score",
    "winner",  # of a race or a tournament
    "place",  # among the first n: as many winners
    "other",  # not known to this taxonomy; published all the same
]
MARKET_TYPES: Final[tuple[str, ...]] = get_args(MarketType)

MarketStatus = Literal["open", "suspended", "closed"]
SelectionStatus = Literal["active", "suspended", "removed", "winner", "loser", "void", "placed"]

#: The periods a market can be about; ids carry the key. Provider-specific periods may stand beside these.
PERIODS: Final[dict[str, str]] = {"ft": "full time", "h1": "first half", "h2": "second half"}
