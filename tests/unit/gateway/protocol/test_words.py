"""The protocol's words for feeds and pricing are those of the rooms that they come from, which clients do without."""

from __future__ import annotations

from feeds.supervision.breaker import BreakerState
from feeds.supervision.states import FeedState, Trigger
from oddsengine.gateway.console import messages
from oddsengine.gateway.protocol import explanation_messages as explained
from oddsengine.pricing.methods.fair import Basis
from oddsengine.pricing.methods.margin import Method
from oddsengine.pricing.profiles.parameters import Rounding


def test_the_words_of_feeds() -> None:
    assert messages.FEED_STATES == tuple(state.value for state in FeedState)
    assert messages.FEED_TRIGGERS == tuple(trigger.value for trigger in Trigger)
    assert messages.BREAKER_STATES == tuple(state.value for state in BreakerState)


def test_the_words_of_pricing() -> None:
    assert (Basis, Method, Rounding) == (explained.Basis, explained.Method, explained.Rounding)
