"""A quiet market is told from a frozen feed."""

from __future__ import annotations

from math import inf

from feeds.supervision.watchdog import Watchdog
from oddsengine.domain.feed_updates import MarketGone, MarketUpdate
from tests.support.builders import a_batch, a_definition


def a_watchdog(*, can_sample: bool = True, quiet_in_play_s: float = 10.0, quiet_s: float = 0.0) -> Watchdog:
    return Watchdog(quiet_in_play_s, quiet_s, can_sample=can_sample, now_s=0.0)


def in_play(status: str = "open") -> MarketUpdate:
    return MarketUpdate("1.1", definition=a_definition(status=status, in_play=True))


def test_a_feed_that_says_nothing_is_silent() -> None:
    dog = a_watchdog()
    dog.heard(5.0)
    assert "fine" == dog.verdict(7.0, 2.0)
    assert "silent" == dog.verdict(7.1, 2.0)


def test_where_nothing_is_in_play_nothing_has_to_move() -> None:
    dog = a_watchdog()
    dog.take(a_batch(MarketUpdate("1.1", definition=a_definition())), 1.0)
    dog.heard(1000.0)
    assert inf == dog.quiet_limit_s
    assert "fine" == dog.verdict(1000.0, 5.0)


def test_in_play_a_sample_is_asked_for_at_half_of_the_limit_and_without_an_answer_it_is_frozen() -> None:
    dog = a_watchdog()
    dog.take(a_batch(in_play()), 0.0)
    for now, verdict in ((5.0, "fine"), (5.1, "sample")):
        dog.heard(now)
        assert verdict == dog.verdict(now, 2.0)
    dog.asked(5.1)
    dog.heard(10.1)
    assert "frozen" == dog.verdict(10.1, 2.0)


def test_a_sample_that_agrees_makes_it_quiet() -> None:
    dog = a_watchdog()
    dog.take(a_batch(in_play()), 0.0)
    dog.asked(5.1)
    dog.sampled(6.0, agrees=True, is_last=True)
    dog.heard(11.0)
    assert "fine" == dog.verdict(11.0, 2.0)
    dog.heard(11.1)
    assert "sample" == dog.verdict(11.1, 2.0), "and it is asked again"


def test_a_sample_that_says_something_else_proves_it_frozen_unless_the_stream_follows() -> None:
    for follows in (False, True):
        dog = a_watchdog()
        dog.take(a_batch(in_play()), 0.0)
        dog.asked(5.1)
        dog.sampled(5.2, agrees=False, is_last=False)
        dog.sampled(5.3, agrees=True, is_last=True)
        if follows:
            dog.take(a_batch(MarketUpdate("1.1")), 5.4)
        dog.heard(7.3)
        assert ("fine" if follows else "contradicted") == dog.verdict(7.3, 5.0)


def test_a_sample_nobody_asked_for_contradicts_nothing() -> None:
    dog = a_watchdog()
    dog.take(a_batch(in_play()), 0.0)
    dog.sampled(1.0, agrees=False, is_last=True)
    dog.heard(4.0)
    assert "fine" == dog.verdict(4.0, 5.0)


def test_what_is_suspended_or_gone_need_not_move() -> None:
    for update in (in_play("suspended"), MarketGone("1.1")):
        dog = a_watchdog()
        dog.take(a_batch(in_play()), 0.0)
        assert 10.0 == dog.quiet_limit_s
        dog.take(a_batch(update), 1.0)
        assert inf == dog.quiet_limit_s


def test_a_withdrawal_is_no_movement() -> None:
    dog = a_watchdog()
    assert not dog.take(a_batch(MarketGone("1.2")), 1.0)
    assert dog.take(a_batch(in_play()), 1.0)
