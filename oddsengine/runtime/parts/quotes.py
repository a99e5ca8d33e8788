"""Signing of quotes, and what a reload changes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway.quotes.keys import QuoteKeys
from oddsengine.runtime.reload import ReloadedPart

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.quotes.api import QuotesApi
    from oddsengine.runtime.settings import Settings


def quotes_part(quotes: QuotesApi) -> ReloadedPart:
    """Return what a reload does with how quotes are signed."""

    async def prepare(settings: Settings) -> Callable[[], None]:
        keys = QuoteKeys(settings.quotes)
        return lambda: quotes.use(keys)

    return ReloadedPart(frozenset({"quotes"}), prepare)
