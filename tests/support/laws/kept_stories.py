"""Stories of sources, people and flushes, to try what a pipeline keeps from one flush to the next.

A story is a setting and steps. Odds, sizes and times come from small grids, so that lines contradict each other, sources
disagree, what is withdrawn comes back as it was, and limits of time are met, all within a few steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from oddsengine.pricing.methods.fair import ExchangeLimits
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from oddsengine.sourcing.sourcing_rule import SourcingRule

if TYPE_CHECKING:
    from random import Random

Step = tuple[Any, ...]


class Kind(NamedTuple):
    """A market of every event: its type, line, winners and selections, and a probability of each."""

    type: str
    line: float | None
    winners: int
    fair: Mapping[str, float]


KINDS: Final = {
    "match_odds": Kind("match_odds", None, 1, {"home": 0.5, "draw": 0.28, "away": 0.22}),
    "total/ft/1.5": Kind("total", 1.5, 1, {"over": 0.51, "under": 0.49}),
    "total/ft/2.5": Kind("total", 2.5, 1, {"over": 0.5, "under": 0.5}),
    "total/ft/3.5": Kind("total", 3.5, 1, {"over": 0.49, "under": 0.51}),
    "asian_handicap/ft/-0.5": Kind("asian_handicap", -0.5, 1, {"home": 0.5, "away": 0.5}),
    "asian_handicap/ft/-1.0": Kind("asian_handicap", -1.0, 1, {"home": 0.49, "away": 0.51}),
    "both_to_score": Kind("both_to_score", None, 1, {"yes": 0.52, "no": 0.48}),
    "place": Kind("place", None, 2, {"a": 0.8, "b": 0.6, "c": 0.4, "d": 0.2}),
}
_TOTALS = ("total/ft/1.5", "total/ft/2.5", "total/ft/3.5")
_HANDICAPS = ("asian_handicap/ft/-0.5", "asian_handicap/ft/-1.0")


class Setting(NamedTuple):
    """What a story is set in.

    Attributes:
        sources: those of a feed "b" quote their own odds, the others show order books.
        kinds: the markets of each event.
        rules: of the choice of sources; steps change them for another of these.
        profiles: the sets of profiles; steps change them for another of these.
        events: how many events there are.
        shards: over how many shards they are spread.
        is_cut: whether flushes may be cut.
        has_results: whether markets are closed with results, and commands say some.
        solves_per_s: see `Pricer`.
        remembers: whether prices follow from earlier ones too, so that only what is skipped can be compared.
    """

    sources: tuple[str, ...]
    kinds: tuple[str, ...]
    profiles: tuple[Mapping[str, Profile], ...]
    rules: tuple[tuple[SourcingRule, ...], ...] = ((),)
    events: int = 1
    shards: int = 1
    is_cut: bool = True
    has_results: bool = True
    solves_per_s: float = 0.0
    remembers: bool = False


_POOLED: Final = {"default": Profile(pool_limit=0.5)}
#: in which the sides of two lines can be backed without risk, each in its best profile
_BEATABLE: Final = {
    "default": Profile(book_sum=1.0, shift={"over": 0.12}, pool_limit=0.05),
    "gold": Profile(book_sum=1.0, shift={"under": 0.12}, pool_limit=0.05, max_age_s=20.0),
}
_STRICT: Final = {
    "gold": Profile(book_sum=1.02, pool_limit=0.03, require_complete_book=True),
    "default": Profile(method="power", exchange=ExchangeLimits(max_spread=0.1, normalise="power"), pool_limit=0.5),
}
_RULED: Final = {
    "default": Profile(
        max_age_s=20.0,
        pool_limit=0.5,
        rules=(
            Rule(starts_within_min=10, suspend=True),
            Rule(starts_within_min=60, book_sum=1.1),
            Rule(in_play=True, book_sum=1.15, max_age_s=10.0),
            Rule(competition="league", book_sum=1.2),
            Rule(source="a.y", book_sum=1.08),
        ),
    )
}
_TRADED: Final = {
    "default": Profile(
        pool_limit=0.1, exchange=ExchangeLimits(last_traded=True, last_traded_max_age_s=20.0, max_spread=0.1), max_age_s=60.0
    ),
    "gold": Profile(pool_limit=0.1, exchange=ExchangeLimits(min_depth=120.0), bound_by_exchanges=True),
}
_DAMPED: Final = {
    "default": Profile(min_move=0.03, max_move=0.05, jump_limit=0.15, pool_limit=0.1, rounding="balanced"),
    "gold": Profile(jump_limit=0.2, max_age_s=30.0, pool_limit=0.1, rules=(Rule(starts_within_min=10, suspend=True),)),
}
#: by which several sources are combined otherwise
_OTHERWISE: Final = {"default": Profile(pool_limit=0.5, exchange=ExchangeLimits(max_spread=0.1, normalise="power"))}
_LAST_TRADED: Final = {
    "default": Profile(pool_limit=0.5, exchange=ExchangeLimits(last_traded=True, last_traded_max_age_s=20.0, max_spread=0.1))
}
_LAST_TRADED_IN_ONE: Final = {**_LAST_TRADED, "gold": Profile(pool_limit=0.5)}
_DEEP: Final = {"default": Profile(pool_limit=0.5, exchange=ExchangeLimits(min_depth=120.0))}
_AT_ONCE: Final = (SourcingRule(hold_s=0.0),)
_CONSENSUS: Final = (SourcingRule(mode="consensus", outlier=0.05, hold_s=0.0),)
_ANY_TWO: Final = (
    SourcingRule(mode="consensus", outlier=0.3, min_sources=1, hold_s=0.0, weights={"a.y": 3.0}),
    SourcingRule(mode="priority", in_play=True, hold_s=0.0, sources=("a.y", "a.x")),
)

SETTINGS: Final[Mapping[str, Setting]] = {
    "lines": Setting(("a.x",), _TOTALS, (_POOLED, _BEATABLE, _STRICT)),
    "handicaps": Setting(("a.x",), (*_HANDICAPS, "total/ft/2.5", "total/ft/1.5"), (_BEATABLE, _POOLED), events=2),
    "shards": Setting(("a.x",), (*_TOTALS[:2], "match_odds"), (_STRICT, _RULED), events=3, shards=2),
    "rules": Setting(("a.x",), ("match_odds", *_TOTALS[:2]), (_RULED, _POOLED)),
    "trades": Setting(("a.x",), ("match_odds", *_TOTALS[:2]), (_TRADED, _POOLED)),
    "last trades": Setting(("a.x",), ("match_odds", *_TOTALS[:2]), (_LAST_TRADED_IN_ONE, _DEEP)),
    "quotes": Setting(("b.x",), ("match_odds", "place"), (_RULED, _POOLED)),
    "places": Setting(("a.x",), ("place", "match_odds"), (_POOLED, _RULED)),
    "fallback": Setting(("a.x", "a.y"), ("match_odds", *_TOTALS[:2]), (_RULED, _TRADED), (_AT_ONCE,), is_cut=False),
    "pair": Setting(
        ("a.x", "a.y"), _TOTALS[:2], (_POOLED, _RULED, _OTHERWISE), (_CONSENSUS, _AT_ONCE, _ANY_TWO[:1]), has_results=False
    ),
    "consensus": Setting(
        ("a.x", "a.y", "a.z"),
        ("match_odds", *_TOTALS[:2]),
        (_RULED, _OTHERWISE, _LAST_TRADED, _DEEP),
        (_CONSENSUS, _ANY_TWO),
        has_results=False,
    ),
    "several": Setting(
        ("a.x", "b.x"), ("match_odds", *_TOTALS[:2]), (_POOLED, _RULED), (_AT_ONCE, _CONSENSUS), is_cut=False, has_results=False
    ),
    "scores": Setting(
        ("a.x",),
        ("match_odds", "total/ft/1.5", "both_to_score", "asian_handicap/ft/-0.5"),
        (_BEATABLE, _POOLED),
        solves_per_s=1e6,
    ),
    # What waits for the budget stays suspended until it can be decided.
    "few solves": Setting(
        ("a.x",),
        ("match_odds", "total/ft/1.5", "total/ft/2.5", "both_to_score"),
        (_POOLED, _BEATABLE),
        solves_per_s=1.0,
    ),
    "damped": Setting(("a.x",), ("match_odds", *_TOTALS[:2]), (_DAMPED, _POOLED), remembers=True),
    "damped pair": Setting(
        ("a.x", "a.y"), ("match_odds", *_TOTALS[:2]), (_DAMPED, _TRADED), (_AT_ONCE, _CONSENSUS), remembers=True
    ),
}

#: What a probability is moved by.
_MOVES: Final = (0.0, 0.0, 0.02, -0.02, 0.04, -0.04, 0.1)
#: The wide ones allow a line what it is pooled to.
_SPREADS: Final = (0.01, 0.08, 0.08)
_STATUSES: Final = ("open", "open", "suspended", "closed")
_DEFINITIONS: Final = (
    *("status", "status", "status", "status", "selection", "selection", "gone", "back", "again", "again", "repeat"),
    *("in play", "starts", "terms", "other id", "gone other", "reset", "rename", "reorder", "result"),
)
_COMMANDS: Final = (
    *("suspend", "suspend", "price", "force", "book_sum", "shift", "limit", "suspend in gold", "suspend in play"),
    "suspend until kick-off",
)


def a_story(random: Random, setting: str | None = None, length: int = 24) -> tuple[str, list[Step]]:
    """Return a setting and steps.

    Args:
        random: decides.
        setting: the setting; None for any.
        length: how many steps at most.
    """
    # Most of what is kept is kept of lines, and of several sources together.
    name = setting or random.choice((*SETTINGS, "lines", "lines", "pair", "pair"))
    of = SETTINGS[name]
    writer = _Writer(random, of, has_commands=random.random() < 0.3)
    # Few markets, so that they meet in a few steps.
    return name, [writer.step() for _ in range(random.randint(3, length))]


class _Writer:
    def __init__(self, random: Random, setting: Setting, *, has_commands: bool) -> None:
        self._random = random
        self._setting = setting
        self._has_commands = has_commands
        self._was = ("", "", "")

    def step(self) -> Step:
        draw = self._random.random
        if draw() < 0.45:
            return self._flush()
        kind = draw()
        if kind < 0.4:
            return self._books()
        if kind < 0.7:
            return self._definitions()
        if kind < 0.9:
            return self._world()
        return self._settings()

    def _flush(self) -> Step:
        if self._random.random() < 0.1:
            return ("flush between",)
        if self._setting.is_cut and self._random.random() < 0.5:
            return "flush", self._random.choice((1, 2, 3, 5, 9))
        return ("flush",)

    def _market(self) -> tuple[str, str, str]:
        """Return a source, an event and a market of it: often the ones of before."""
        random, setting = self._random, self._setting
        if not self._was[0] or random.random() < 0.6:
            self._was = random.choice(setting.sources), f"e{random.randrange(setting.events)}", random.choice(setting.kinds)
        return self._was

    def _fair(self, kind: str) -> tuple[float, ...]:
        """Return probabilities that sum to the winners, near those of the kind."""
        random, of = self._random, KINDS[kind]
        fair = list(of.fair.values())
        by = random.choice(_MOVES)
        fair[0], fair[-1] = fair[0] + by, fair[-1] - by
        return tuple(round(each, 3) for each in fair)

    def _books(self) -> Step:
        random, market = self._random, self._market()
        selections = tuple(KINDS[market[2]].fair)
        one = random.choice(selections)
        what = random.choice(
            (
                "move",
                "move",
                "move",
                "one",
                "one",
                "deep",
                "deep",
                "touch",
                "empty",
                "thin",
                "trade",
                "image",
                "image",
                "partial",
                "bare",
            )
        )
        if what in {"move", "image"}:
            return what, *market, self._fair(market[2]), random.choice(_SPREADS)
        if what in {"one", "thin"}:
            return what, *market, one, round(KINDS[market[2]].fair[one] + random.choice(_MOVES), 3), random.choice(_SPREADS)
        if what == "deep":
            return what, *market, one, random.choice((0.8, 0.9)), random.choice((0.0, 5.0, 50.0, 200.0))
        if what == "partial":
            return what, *market, tuple(each for each in selections if random.random() < 0.5)
        if what == "trade":
            return what, *market, one, round(KINDS[market[2]].fair[one] + random.choice(_MOVES), 3)
        return (what, *market) if what == "bare" else (what, *market, one)

    def _definitions(self) -> Step:
        random, market, has_results = self._random, self._market(), self._setting.has_results
        selections, statuses = tuple(KINDS[market[2]].fair), ("active", "active", "suspended", "removed")
        what = random.choice(_DEFINITIONS if has_results else _DEFINITIONS[:-1])
        values: tuple[Any, ...] = ()
        if what == "status":
            values = (random.choice(_STATUSES),)
        elif what == "selection":
            values = random.choice(selections), random.choice((*statuses, "winner", "loser") if has_results else statuses)
        elif what == "back":
            values = self._fair(market[2]), random.choice(_SPREADS)
        elif what == "in play":
            values = (random.random() < 0.5,)
        elif what == "starts":
            values = (random.choice((None, 5, 11, 61, 120)),)
        elif what == "rename":
            values = (random.choice(("", "Other")),)
        elif what == "terms":
            values = (random.choice((None, 10.0, 20.0)),)
        elif what == "result":
            values = (random.choice(selections),)
        return what, *market, *values

    def _world(self) -> Step:
        random = self._random
        source, event, _ = self._market()
        what = random.choice(("health", "health", "event", "event", "wait", "wait", "wait"))
        if what == "health":
            return what, source, random.choice(("live", "live", "live", "lagging", "stale", "down"))
        if what == "event":
            return (
                *(what, source, event, random.random() < 0.3, random.choice((None, "0-0", "1-0"))),
                *(random.choice((None, 5, 11, 61, 120)), random.choice(("cup", "cup", "league"))),
            )
        return "wait", random.choice((1, 1000, 5000, 11_000, 21_000, 61_000, 120_000))

    def _settings(self) -> Step:
        random, setting = self._random, self._setting
        if self._has_commands and random.random() < 0.7:
            return self._command()
        what = random.choice(("adopt", "rules", "sources", "clock", "release", "retire"))
        if what == "adopt":
            return what, random.randrange(len(setting.profiles))
        if what == "rules":
            return what, random.randrange(len(setting.rules))
        if what == "sources":
            left = [each for each in setting.sources if random.random() < 0.7] or [*setting.sources]
            random.shuffle(left)
            return what, tuple(left)
        if what == "clock":
            return what, random.choice((-400_000, 0, 400_000))
        return what, random.randrange(setting.shards)

    def _command(self) -> Step:
        random = self._random
        number = random.randrange(3)
        if random.random() < 0.4:
            return "lift", number
        _, event, kind = self._market()
        scope = random.choice(("all", "event", "market", "market", "selection"))
        ends_s = random.choice((None, None, 5, 30))
        return "command", number, random.choice(_COMMANDS), scope, event, kind, random.choice(tuple(KINDS[kind].fair)), ends_s
