"""Explanations of prices: every number from the sources' books to the published price.

Keys and values of an explanation are part of the HTTP API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oddsengine.commands.command import EVERY_PROFILE, TRADER
from oddsengine.common.clock import iso_time
from oddsengine.domain.odds import to_decimal
from oddsengine.pricing.guards.report import book_sum_guard
from oddsengine.pricing.methods.refusals import refusal_of_book

if TYPE_CHECKING:
    from oddsengine.commands.command import Command
    from oddsengine.domain.changes import MarketRecord, SelectionRecord
    from oddsengine.domain.ids import MarketId
    from oddsengine.engine.pipeline import Pipeline
    from oddsengine.pricing.guards.report import Guard
    from oddsengine.pricing.market.reference import PricedMarket
    from oddsengine.pricing.methods.fair import ExchangeLimits
    from oddsengine.pricing.profiles.profile import Profile, ResolvedProfile
    from oddsengine.sourcing.source_book import SourceBook, SourceMarket


def explain(pipeline: Pipeline, market: MarketId, now_ms: int, only_profile: str | None = None) -> dict[str, Any] | None:
    """Return each selection's prices at each source and each profile's steps to the published price.

    None for a market that is not on offer.

    Args:
        pipeline: the engine's.
        market: the market.
        now_ms: Unix milliseconds, for rules on the time to the start.
        only_profile: the only profile to show; None for all.
    """
    offer = pipeline.offers[pipeline.shard_of_market(market)]
    record = offer.markets.get(market)
    if record is None:
        return None
    quoting = pipeline.quoting(market)
    priced: dict[str, tuple[ResolvedProfile, PricedMarket]] = {}
    priced_by: str | None = None
    choice, consensus = pipeline.choose(market, now_ms, remember=False)
    if choice is not None and choice.reason is None:
        priced_by = choice.market.source
        if choice.definition.status == "open":
            event = pipeline.event_of(choice.market, choice.definition)
            priced = pipeline.pricer.explain(choice.market, choice.definition, event, now_ms)
    profiles = pipeline.pricer.profiles
    # Until the next flush, those on offer may be others.
    places = {
        name: place for name in profiles if only_profile in {None, name} and (place := offer.profile_index(name)) is not None
    }
    return {
        "market": market,
        "status": record.state.status,
        "reason": record.state.reason,
        "v": record.v,
        "priced_by": priced_by,
        "consensus": None
        if consensus is None
        else {"used": consensus.used, "outliers": consensus.outliers, "old": consensus.old},
        "commands": [
            _command(each, only_profile)
            for each in pipeline.commands.of(record, offer.events[record.identity.event], now_ms)
            if only_profile is None or {only_profile, *EVERY_PROFILE}.intersection(each.scope.profiles)
        ],
        "guards": [_guard(guard) for guard in pipeline.pricer.guards(market, record.state.reason, now_ms)],
        "profiles": {
            name: {
                **_guard(_book_sum(record, place, priced[name][0].settings if name in priced else profiles[name])),
                **_seen_state(record, place),
            }
            for name, place in places.items()
        },
        "sources": [_source(book, source_market) for book, source_market in quoting],
        "selections": {
            key: {
                "name": selection.name,
                "status": selection.status,
                "said": [quoted for book, source_market in quoting if (quoted := _quoted(book, source_market, key))],
                "profiles": {
                    name: _steps(name, key, priced.get(name), selection.prices[place], None if choice is None else choice.market)
                    for name, place in places.items()
                },
            }
            for key, selection in sorted(record.selections.items(), key=_display_order)
        },
    }


def _display_order(item: tuple[str, SelectionRecord]) -> int:
    return item[1].order or 0


def _command(command: Command, only_profile: str | None) -> dict[str, Any]:
    """Return a command that holds for the market, and who has made it; with `only_profile` without the names of others."""
    profiles = command.scope.profiles
    return {
        "id": command.id,
        "action": command.action,
        "author": command.author,
        "reason": command.reason,
        "expires": "kick_off" if command.until_kick_off else command.expires_ms and iso_time(command.expires_ms, "milliseconds"),
        "values": command.values,
        "profiles": profiles if only_profile is None or profiles == EVERY_PROFILE else (only_profile,),
        "confirmed_by": command.confirmed_by,
    }


def _book_sum(record: MarketRecord, index: int, profile: Profile) -> Guard:
    """Return the check of the published book sum of the profile at an index."""
    active = [selection.prices[index] for selection in record.selections.values() if selection.status == "active"]
    return book_sum_guard(profile, record.identity.winners, active, record.state.reason)


def _seen_state(record: MarketRecord, index: int) -> dict[str, Any]:
    """Return the state that subscribers of a profile see: a command may suspend it for them only."""
    state = record.state
    if state.status == "open" and state.terms and state.terms[index].suspended:
        return {"status": "suspended", "reason": TRADER}
    return {"status": state.status, "reason": state.reason}


def _refusal(market: SourceMarket, key: str, limits: ExchangeLimits) -> str:
    """Return why a selection has no fair probability: its status, or what is wrong with its book."""
    definition = market.definition
    for selection in () if definition is None else definition.selections:
        if selection.key == key:
            if selection.status != "active":
                return selection.status
            return refusal_of_book(market.books.get(selection.source_id), limits)
    return "no_offers"


def _guard(guard: Guard) -> dict[str, Any]:
    explained: dict[str, Any] = {"guard": guard.name, "limit": guard.limit, "value": guard.value, "suspends": guard.suspends}
    if guard.legs:
        explained["legs"] = [leg._asdict() for leg in guard.legs]
    return explained


def _source(book: SourceBook, market: SourceMarket) -> dict[str, Any]:
    definition = market.definition
    return {
        "source": book.source,
        "market": market.source_id,
        "health": book.health,
        "health_reason": book.health_reason,
        "status": definition.status if definition else None,
        "limit": market.terms.limit if market.terms else None,
        "bet_delay_s": market.terms.bet_delay_s if market.terms else None,
        "updated_ms": market.updated_ms,
    }


def _quoted(book: SourceBook, market: SourceMarket, key: str) -> dict[str, Any] | None:
    definition = market.definition
    if definition is None:
        return None
    for selection in definition.selections:
        if selection.key == key:
            prices = market.books.get(selection.source_id)
            back, lay = prices.best() if prices else (None, None)
            return {
                "source": book.source,
                "selection": selection.source_id,
                "status": selection.status,
                "back": back,
                "lay": lay,
                "last": prices.last if prices else None,
                "quote": prices.quote if prices else None,
                "updated_ms": market.updated_ms,
            }
    return None


def _steps(
    name: str,
    key: str,
    priced: tuple[ResolvedProfile, PricedMarket] | None,
    published: int | None,
    source: SourceMarket | None,
) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    fair: float | None = None
    places: tuple[str, ...] = ()
    if priced is not None:
        (settings, places), market = priced
        selection = market.selections.get(key)
        if selection is not None and selection.raw is not None:
            fair = selection.fair
            steps = [
                {"step": "implied", "basis": selection.basis, "probability": selection.raw},
                {"step": "coherent", "probability": selection.fair},
                # `tilt` is the published name of skew and shift.
                *([{"step": "tilt", "skew": settings.skew, "shift": settings.shift}] if settings.is_skewed else []),
                {"step": "margin", "method": settings.method, "book_sum": settings.book_sum, "odds": selection.quoted},
                {
                    "step": "ladder",
                    "ladder": settings.ladder,
                    "rounding": settings.rounding,
                    "odds": to_decimal(selection.price) if selection.price is not None else None,
                },
            ]
            if key in settings.fixed_prices:
                steps.append({"step": "command", "odds": to_decimal(settings.fixed_prices[key])})
            elif published is not None and published != selection.price:
                # `min_move` keeps it, or `max_move` has steps to go.
                held = {"min_move": settings.min_move, "max_move": settings.max_move}
                steps.append({"step": "held", **held, "odds": to_decimal(published)})
        elif source is not None and (not market.refusal or market.refusal == "no_price"):
            steps = [{"step": "refused", "reason": _refusal(source, key, settings.exchange)}]
    return {
        "rule": [f"profiles.{name}", *places],
        "fair": fair,
        "steps": steps,
        "price": to_decimal(published) if published is not None else None,
    }
