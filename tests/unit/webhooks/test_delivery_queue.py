"""Which event is sent when: in order, after a wait that grows, and not for ever."""

from __future__ import annotations

from oddsengine.webhooks.delivery_queue import WINDOW, DeliveryQueue, PendingEvent, backoff_ms
from oddsengine.webhooks.events import OutboxEvent

RETRY_FOR_MS = 60_000


def a_queue(*seqs: int, unwanted: tuple[int, ...] = ()) -> DeliveryQueue:
    queue = DeliveryQueue(0, RETRY_FOR_MS, lambda: 1.0)
    for seq in sorted((*seqs, *unwanted)):
        queue.add(seq, None if seq in unwanted else OutboxEvent(f"m{seq}", "feeds", "feed.up", 0, b"{}"))
    return queue


def due(queue: DeliveryQueue, now_ms: int) -> PendingEvent:
    found = queue.due(now_ms)
    assert found is not None
    return found


def test_events_are_sent_in_order_and_the_cursor_follows() -> None:
    queue = a_queue(1, 3, unwanted=(2, 4))
    assert 0 == queue.cursor
    queue.delivered(due(queue, 0))
    assert 2 == queue.cursor, "nobody wants the second"
    queue.delivered(due(queue, 0))
    assert (4, None) == (queue.cursor, queue.due(0))


def test_while_an_endpoint_fails_everything_waits_longer_and_longer() -> None:
    queue = a_queue(1, 2)
    now_ms = 0
    for wait_ms in (1000, 2000, 4000):
        assert not queue.failed(due(queue, now_ms), now_ms, is_refused=False)
        assert queue.due(now_ms + wait_ms - 1) is None
        now_ms += wait_ms
        assert 1 == due(queue, now_ms).seq
    queue.delivered(due(queue, now_ms))
    assert 2 == due(queue, now_ms).seq, "at once, since it works again"


def test_an_endpoint_is_given_the_time_that_it_asks_for() -> None:
    queue = a_queue(1)
    queue.failed(due(queue, 0), 0, is_refused=False, retry_after_ms=30_000)
    assert queue.due(29_999) is None
    assert queue.due(30_000) is not None
    queue.failed(due(queue, 30_000), 30_000, is_refused=False, retry_after_ms=10**12)
    assert queue.due(30_000 + 3_600_000) is not None


def test_others_overtake_an_event_that_is_refused() -> None:
    queue = a_queue(1, 2)
    assert not queue.failed(due(queue, 0), 0, is_refused=True)
    assert 2 == due(queue, 0).seq
    queue.delivered(due(queue, 0))
    assert (0, None) == (queue.cursor, queue.due(0)), "a restart begins at the first again"
    assert 1 == due(queue, 1000).seq


def test_an_event_is_given_up_when_it_is_old_but_not_before_it_was_tried() -> None:
    queue = a_queue(1, 2)
    assert not queue.failed(due(queue, 0), 0, is_refused=False)
    assert queue.failed(due(queue, RETRY_FOR_MS), RETRY_FOR_MS, is_refused=False)
    assert 1 == queue.cursor
    assert 2 == due(queue, 2 * RETRY_FOR_MS).seq


def test_few_events_are_on_their_way_at_once() -> None:
    assert a_queue(*range(1, WINDOW)).has_room
    assert not a_queue(*range(1, WINDOW + 1)).has_room


def test_the_wait_is_random_and_bounded() -> None:
    assert (500, 1000) == (backoff_ms(1, 0.0), backoff_ms(1, 1.0))
    assert 300_000 == backoff_ms(1000, 1.0)
