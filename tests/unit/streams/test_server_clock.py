"""When a write is too old for a Redis server, by that server's own clock."""

from __future__ import annotations

from oddsengine.streams.clients.server_clock import MAX_AGE_MS, ServerClock


def test_a_write_is_too_old_some_time_after_it_was_sent() -> None:
    now_s = 10.0
    clock = ServerClock(lambda: now_s)
    assert 0 == clock.limit_ms(), "nothing is known"
    clock.note(9.9, 5_000_000)
    now_s = 12.0
    assert 5_002_100 + MAX_AGE_MS == clock.limit_ms(), "at most so much time has passed since the reply"
    clock.note(10.5, 9_000_000)
    assert 5_002_100 + MAX_AGE_MS == clock.limit_ms(), "a reply that took long says nothing"
    clock.forget()
    assert 0 == clock.limit_ms()
