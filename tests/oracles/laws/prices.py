"""The laws of open prices: what may be open after a flush, by all that the sources have said.

`violations` is the oracle. It decides by the documentation alone who may speak for a market and what prices that allows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING

from tests.oracles.arithmetic import ERROR, Refused, intervals, is_trusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.oracles.arithmetic import Interval
    from tests.oracles.rules import Config, Settings
    from tests.oracles.statements import Market, Selection, Source, Statements

#: (from, step) of the exchange's published ladder, in thousandths
_BETFAIR_STEPS = (
    *((1_010, 10), (2_000, 20), (3_000, 50), (4_000, 100), (6_000, 200), (10_000, 500), (20_000, 1_000)),
    *((30_000, 2_000), (50_000, 5_000), (100_000, 10_000)),
)
_TOP = 1_000_000
#: the types of which lines are brought together
POOLED = {"total", "handicap", "asian_handicap"}


@dataclass
class Published:
    """A market as it is published: prices in thousandths and fair probabilities, one a profile, by selection.

    `used` and `outliers` name the sources of a consensus, and those left out as too far off, as the engine says.
    """

    status: str
    in_play: bool = False
    prices: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    fair: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    used: tuple[str, ...] = ()
    outliers: tuple[str, ...] = ()


def violations(
    said: Statements, config: Config, market: str, published: Published, now_ms: int, counts: Counter[str] | None = None
) -> list[str]:
    """Return what is wrong with a market as it is published; nothing where it may be so.

    Args:
        said: what the sources have said.
        config: the profiles and the sourcing rule.
        market: its id.
        published: what is on offer.
        now_ms: the time of the flush.
        counts: is increased by what was checked.
    """
    counts = Counter() if counts is None else counts
    standing = [source for each, source in said.results if each == market]
    counts["results"] += len(standing)
    if published.status != "open":
        return []
    counts["open markets"] += 1
    if standing and (config.sourcing.shared_state or len(said.sources) == 1):
        return [f"open, with a result of {', '.join(standing)} that it has not taken back"]
    try:
        speaking = speakers(said, config, market)
    except Refused as refused:
        return [str(refused)]
    if config.sourcing.mode == "consensus":
        return _of_consensus(said, config, speaking, market, published, now_ms, counts)
    # Which of several speaks depends on how long each has been healthy; one of them must allow what is published.
    wrong = [list(_of_source(said, config, source.markets[market], published, now_ms, counts)) for source in speaking]
    return [] if any(not each for each in wrong) else wrong[0]


def speakers(said: Statements, config: Config, market: str) -> list[Source]:
    """Return the sources that may price a market, by their health and by what is known of it.

    Raises:
        Refused: if none may.
    """
    rule = config.sourcing
    known = [source for source in said.sources.values() if market in source.markets]
    live = [source for source in known if source.is_live]
    if rule.shared_state and any(source.markets[market].status == "closed" for source in live):
        raise Refused("a live source has closed it")
    ranked = [source for source in known if not rule.sources or source.name in rule.sources]
    if rule.sources:
        ranked.sort(key=lambda source: rule.sources.index(source.name))
    if rule.primary_suspends and ranked and ranked[0].is_live and ranked[0].markets[market].status != "open":
        raise Refused(f"{ranked[0].name}, the first source, has it {ranked[0].markets[market].status}")
    healthy = []
    for source in ranked:
        held = source.markets[market]
        behind = rule.shared_state and not held.in_play and source.name not in rule.late_in_play and _in_play(said, live, held)
        if source.is_live and held.status == "open" and not behind:
            healthy.append(source)
    if len(healthy) < (rule.min_sources if rule.mode == "consensus" else 1):
        raise Refused("no source, or too few, may speak for it: down, not open, or behind the others")
    return healthy[:1] if rule.mode == "priority" and not rule.hold_s else healthy


def _in_play(said: Statements, live: list[Source], held: Market) -> bool:
    """Check whether a live source knows the market to be in play; one that starts later than its event is not by the event."""
    if any(source.markets[held.id].in_play for source in live):
        return True
    events = [source.events[held.event] for source in said.sources.values() if source.is_live and held.event in source.events]
    event_start_ms = said.event_start_of(held)
    is_later = held.start_ms is not None and event_start_ms is not None and held.start_ms > event_start_ms
    return not is_later and any(event.has_begun for event in events)


def _of_consensus(
    said: Statements,
    config: Config,
    speaking: list[Source],
    market: str,
    published: Published,
    now_ms: int,
    counts: Counter[str],
) -> list[str]:
    rule = config.sourcing
    by_name = {source.name: source for source in speaking}
    strangers = [name for name in published.used if name not in by_name]
    if strangers:
        return [f"priced by {', '.join(strangers)}, not allowed to speak"]
    if len(published.used) < rule.min_sources:
        return [f"priced by {len(published.used)} of at least {rule.min_sources} sources"]
    first = speaking[0].markets[market]
    # The rules are those of the market as the first source has it: for ages of all that may speak, else of those not too old.
    by_first = [settings_of(said, first, profile, now_ms) for profile in config.profiles.values()]
    held = next((held for held in (each.markets[market] for each in speaking) if _is_young(held, by_first, now_ms)), first)
    wrong = [*_across_profiles(held, published)]
    for index, (name, profile) in enumerate(config.profiles.items()):
        allowed: list[dict[str, Interval]] = []
        for source in [by_name[each] for each in published.used]:
            own = source.markets[market]
            try:
                _check_age(own, by_first[index], now_ms)
                allowed.append(intervals(own, by_first[0], by_line=True))
            except Refused as refused:
                wrong.append(f"{name}: {source.name}: {refused}")
        if len(allowed) < len(published.used):
            return wrong
        fair_here = {key: each[index] for key, each in published.fair.items()}
        silent = [each for each in speaking if each.name not in {*published.used, *published.outliers}]
        allowed += _of_silent([each.markets[market] for each in silent], fair_here, by_first, rule.outlier, now_ms)
        settings = settings_of(said, held, profile, now_ms)
        wrong += [f"{name}: {each}" for each in _switched_off(held, settings, published, index)]
        for key, price, fair in _priced(published, index):
            # A source that has no such line says nothing of it, and neither does one that is too far off on it.
            bounds = [each[key] for each in allowed if key in each and _is_near(each[key], fair, rule.outlier)]
            if not bounds:
                wrong.append(f"{name}: {key} is priced at {price}, and no source of the consensus allows it any")
                continue
            counts["consensus prices"] += 1
            low = max(each.own_low for each in bounds)
            if settings.rounding != "balanced_over_fair" and 1.0 / price < low - ERROR:
                wrong.append(f"{name}: {key} at {price} is over a source's best lay, {1 / low}")
            wrong += [f"{name}: {each}" for each in _by_settings(held, key, price, fair, settings)]
        wrong += [f"{name}: {each}" for each in _sums(held, settings, published, index)]
    return wrong


def _of_source(
    said: Statements, config: Config, held: Market, published: Published, now_ms: int, counts: Counter[str]
) -> Iterator[str]:
    """Yield what one source does not allow of the prices of all profiles."""
    if published.in_play != held.in_play:
        yield f"published with in_play {published.in_play}, where {held.in_play} is said"
    yield from _across_profiles(held, published)
    for index, (name, profile) in enumerate(config.profiles.items()):
        settings = settings_of(said, held, profile, now_ms)
        try:
            _check_age(held, settings, now_ms)
            allowed = intervals(held, settings)
        except Refused as refused:
            yield f"{name}: {refused}"
            continue
        for each in _switched_off(held, settings, published, index):
            yield f"{name}: {each}"
        for key, price, fair in _priced(published, index):
            if key not in allowed:
                yield f"{name}: {key} is priced at {price}, and nothing is said of it"
                continue
            counts["quoted prices" if held.is_quoted else "exchange prices"] += 1
            for each in _within(held, key, price, fair, allowed[key], settings, now_ms):
                yield f"{name}: {each}"
        for each in _sums(held, settings, published, index):
            yield f"{name}: {each}"


def _of_silent(
    markets: list[Market], fair: Mapping[str, float | None], profiles: list[Settings], outlier: float, now_ms: int
) -> Iterator[dict[str, Interval]]:
    """Yield what the exchanges allow that have no opinion, because they show too little, but whose offers can be taken."""
    settings = profiles[0]
    for held in markets:
        if held.is_quoted or not _is_young(held, profiles, now_ms):
            continue
        try:
            # Whose rows contradict each other, the smallest too, is not heard.
            heard = intervals(held, replace(settings, min_size=0.0), by_line=True)
            allowed = intervals(held, settings, by_line=True)
        except Refused:
            continue
        for line in held.lines().values():
            keys = [each.key for each in line]
            shows_all = all((book := held.books.get(key)) is not None and is_trusted(book, settings) for key in keys)
            # How far off a source is, is measured from what the others said before it was brought into their offers.
            is_far = any(key in heard and heard[key].own_low > (fair.get(key) or 1.0) + outlier / 2 for key in keys)
            if not shows_all and not is_far:
                yield {key: allowed[key] for key in keys if key in heard and key in allowed}


def _is_near(allowed: Interval, fair: float | None, outlier: float) -> bool:
    return fair is None or allowed.low - outlier <= fair <= allowed.high + outlier


def settings_of(said: Statements, held: Market, profile: Settings, now_ms: int) -> Settings:
    """Return a profile's settings for a market, with the rules that match now."""
    start_ms = said.start_of(held)
    minutes = None if start_ms is None else (start_ms - now_ms) / 60_000
    return profile.resolved(in_play=held.in_play, minutes_to_start=minutes)


def _is_young(held: Market, profiles: list[Settings], now_ms: int) -> bool:
    return all(not each.max_age_s or now_ms - held.received_ms <= each.max_age_s * 1000 for each in profiles)


def _check_age(held: Market, settings: Settings, now_ms: int) -> None:
    if settings.max_age_s and now_ms - held.received_ms > settings.max_age_s * 1000:
        raise Refused(f"nothing was said for {(now_ms - held.received_ms) / 1000} s, allowed are {settings.max_age_s}")


def _switched_off(held: Market, settings: Settings, published: Published, index: int) -> Iterator[str]:
    if settings.suspend:
        yield "open, where a rule suspends it"
    for key, prices in published.prices.items():
        selection = held.selections.get(key)
        if prices[index] is not None and (selection is None or selection.status != "active"):
            yield f"{key} has a price, and is {'unknown' if selection is None else selection.status}"
        if settings.require_complete_book and selection is not None and selection.status == "active":
            fair = published.fair.get(key, ())
            if fair and fair[index] is None:
                yield f"{key} has no fair price, and the book must be complete"


def _priced(published: Published, index: int) -> Iterator[tuple[str, float, float | None]]:
    for key, prices in published.prices.items():
        price = prices[index]
        if price is not None:
            fair = published.fair.get(key)
            yield key, price / 1000, None if fair is None else fair[index]


def _within(
    held: Market, key: str, price: float, fair: float | None, allowed: Interval, settings: Settings, now_ms: int
) -> Iterator[str]:
    """Yield what is wrong with a price by what its source's offers allow."""
    # Skew and shift are the operator's own opinion: all that holds then is that nobody can take the price and lay it.
    low = allowed.own_low if settings.is_skewed else allowed.low
    if held.is_quoted and held.type in POOLED:
        # A bookmaker's lines are pulled together by up to that much; an exchange's stay within its offers.
        low = max(0.0, low - settings.pool_limit)
        allowed = allowed._replace(low=max(0.0, allowed.low - settings.pool_limit), high=allowed.high + settings.pool_limit)
    if settings.rounding != "balanced_over_fair" and 1.0 / price < low - ERROR:
        yield f"{key} at {price} is over {1 / low}, the longest odds that the offers allow"
    if fair is not None and not allowed.low - ERROR <= fair <= allowed.high + ERROR:
        yield f"{key} has the fair probability {fair}, not within {allowed.low} to {allowed.high}"
    yield from _by_settings(held, key, price, fair, settings)
    if not held.is_quoted and not _is_supported(held, key, allowed, settings, now_ms):
        yield f"{key} at {price}: no book of its own, nothing that the others leave, and no trade says what it is worth"


def _by_settings(held: Market, key: str, price: float, fair: float | None, settings: Settings) -> Iterator[str]:
    """Yield what is wrong with a price whatever the source says."""
    if fair is not None and not settings.is_skewed and settings.rounding != "balanced_over_fair" and 1.0 / price < fair - ERROR:
        yield f"{key} at {price} is over its fair odds, {1 / fair}"
    if settings.ladder == "betfair" and not _is_on_betfair_ladder(round(price * 1000)):
        yield f"{key} at {price} is not on the ladder"
    if key not in held.selections:
        yield f"{key} has a price, and its source has no such selection"


def _is_supported(held: Market, key: str, allowed: Interval, settings: Settings, now_ms: int) -> bool:
    book = held.books.get(key)
    if book is not None and is_trusted(book, settings):
        return True
    if allowed.low and allowed.high <= allowed.low * (1.0 + settings.max_spread) + ERROR:
        return True
    return (
        settings.last_traded
        and book is not None
        and book.last is not None
        and now_ms - book.last_ms <= settings.last_traded_max_age_s * 1000
        and book.last_ms >= held.open_since_ms
    )


def _sums(held: Market, settings: Settings, published: Published, index: int) -> Iterator[str]:
    """Check each complete set of one profile's prices: its book sum is over the winners."""
    for line in held.lines().values():
        prices = [published.prices.get(each.key, ())[index : index + 1] for each in line if each.status == "active"]
        inverses = [1000 / price[0] for price in prices if price and price[0] is not None]
        winners = 1 if line[0].line else held.open_winners
        if len(inverses) == len(line) and sum(inverses) < winners * (1.0 + settings.min_margin) - ERROR:
            yield f"the prices of {', '.join(each.key for each in line)} sum to {sum(inverses)}, for {winners} winners"


def _across_profiles(held: Market, published: Published) -> Iterator[str]:
    """Check that nobody can back every selection, each at the profile with the longest price, without losing."""
    for line in held.lines().values():
        best = [_best(published, each) for each in line]
        winners = 1 if line[0].line else held.open_winners
        if all(best) and sum(1000 / each for each in best) < winners - ERROR:
            yield f"all of {', '.join(each.key for each in line)} can be backed at {best} without losing"


def _best(published: Published, selection: Selection) -> int:
    return max((price for price in published.prices.get(selection.key, ()) if price is not None), default=0)


def across_lines(lines: dict[float, Published], over: str, under: str) -> list[str]:
    """Return the pairs of open lines of one total of which a bettor can back both sides without losing.

    Args:
        lines: the markets by their lines.
        over: the selection that wins over its line.
        under: the one that wins under it.
    """
    wrong = []
    open_lines = [(line, market) for line, market in lines.items() if market.status == "open"]
    for (low, low_market), (high, high_market) in product(open_lines, repeat=2):
        if low <= high:
            overs = max((price for price in low_market.prices.get(over, ()) if price), default=0)
            unders = max((price for price in high_market.prices.get(under, ()) if price), default=0)
            if overs and unders and 1000 / overs + 1000 / unders < 1 - ERROR:
                wrong.append(f"{over} {low} at {overs} and {under} {high} at {unders} can both be backed without losing")
    return wrong


def _is_on_betfair_ladder(thousandths: int) -> bool:
    if not _BETFAIR_STEPS[0][0] <= thousandths <= _TOP:
        return False
    at = bisect_left(_BETFAIR_STEPS, (thousandths + 1, 0)) - 1
    start, step = _BETFAIR_STEPS[at]
    return (thousandths - start) % step == 0
