"""What the judge of faults takes for a violation: a price check that disagrees with what the subscriber was told."""

from __future__ import annotations

import pytest

from tests.support.faults.lawful import Answers, LawfulSubscriber

KEY = "src.1/match_odds"


class Judged:
    """A subscriber that is told of one market, and price checks beside it."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.subscriber = LawfulSubscriber("http://127.0.0.1:1", clock=lambda: self.now_s)
        self.subscriber.client._stream.connected = True
        self.tell(4, 2.0)

    def tell(self, v: int, price: float | None) -> None:
        """Send the subscriber a version; without a price it is suspended."""
        selections = {"home": {"price": price}}
        market = {"id": KEY, "v": v, "status": "open" if price else "suspended", "reason": None, "selections": selections}
        self.subscriber.client.state.markets[KEY] = market
        self.subscriber.check({"op": "delta", "markets": [{"id": KEY}]})

    def check(self, result: str, v: int, price: float | None, after_s: float = 0.1) -> None:
        """Note the answer of a price check about the price that was told first."""
        self.now_s += after_s
        answer = {"market": KEY, "selection": "home", "result": result, "price": price, "v": v}
        self.subscriber.note_answers(Answers(self.now_s, self.now_s, self.subscriber.client.reconnects, [2.0], [answer]))

    def violations(self) -> list[str]:
        """Return the violations, once everything that was on its way has arrived."""
        self.subscriber.compare_due()
        for _ in range(25):
            self.now_s += 0.1
            self.subscriber.check({"op": "heartbeat"})
            self.subscriber.compare_due()
        return self.subscriber.violations


@pytest.mark.parametrize(("result", "price"), [("price_changed", 2.1), ("suspended", None)])
def test_the_other_worker_may_be_ahead_while_the_process_of_the_subscriber_stands_still(result: str, price: float | None) -> None:
    judged = Judged()
    judged.check(result, 5, price)
    judged.now_s += 1.1
    judged.tell(7, 2.3)
    assert [] == judged.violations()
    assert 1 == judged.subscriber.compared


def test_it_may_be_ahead_until_the_process_that_stood_still_has_read_what_it_has_missed() -> None:
    judged = Judged()
    judged.now_s += 1.2
    judged.tell(5, 2.2)
    judged.check("price_changed", 6, 2.1)
    judged.now_s += 0.3
    judged.tell(7, 2.3)
    assert ([], 1) == (judged.violations(), judged.subscriber.compared)


@pytest.mark.parametrize(
    ("v", "price", "later"),
    [
        pytest.param(9, 2.1, 7, id="of a version that is never told"),
        pytest.param(3, 2.1, 7, id="of a version that is past"),
        pytest.param(4, 2.1, 7, id="of another price at the version that was told"),
        pytest.param(7, 2.1, 7, id="of another price at the version that is told then"),
        pytest.param(5, 2.1, 4, id="of a version after which nothing is told"),
    ],
)
def test_a_process_that_stands_still_excuses_no_answer(v: int, price: float, later: int) -> None:
    judged = Judged()
    judged.check("price_changed", v, price)
    judged.now_s += 1.1
    judged.tell(later, 2.0 if later == 4 else 2.3)
    assert 1 == len(judged.violations())


def test_a_version_that_the_subscriber_was_never_told_is_a_violation_while_it_is_told_others() -> None:
    judged = Judged()
    judged.check("price_changed", 5, 2.1)
    judged.now_s += 0.8
    judged.tell(7, 2.3)
    assert 1 == len(judged.violations())


@pytest.mark.parametrize("pause_s", [0.1, 1.1])
def test_nothing_excuses_that_another_price_than_the_present_one_is_accepted(pause_s: float) -> None:
    judged = Judged()
    judged.check("ok", 5, 2.1)
    judged.now_s += pause_s
    judged.tell(5, 2.1)
    assert 1 == len(judged.violations())


def test_a_check_that_agrees_with_what_is_told_soon_is_no_violation() -> None:
    judged = Judged()
    judged.check("ok", 4, 2.0)
    judged.check("price_changed", 5, 2.1)
    judged.now_s += 0.8
    judged.tell(5, 2.1)
    assert ([], 2) == (judged.violations(), judged.subscriber.compared)


@pytest.mark.parametrize(("refusals", "violations"), [(3, 0), (5, 1)])
def test_a_worker_may_refuse_what_it_has_to_read_first_but_not_for_long(refusals: int, violations: int) -> None:
    judged = Judged()
    for _ in range(refusals):
        judged.check("stale", 4, 2.0, after_s=0.9)
        judged.subscriber.check({"op": "heartbeat"})
    assert violations == len(judged.violations())
