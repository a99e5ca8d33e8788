"""The table and the log of commands, in a real Redis: no step is lost, and the log has one order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oddsengine.streams.lua import load_script

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEYS = ["{law:commands}:log", "{law:commands}:table"]


async def test_a_step_is_written_on_top_of_the_last_one_that_its_writer_knows_only(redis: Redis) -> None:
    script: Any = redis.register_script(load_script("logs/write_command"))

    async def write(before: str, after: str, digest: str, new_digest: str, at_ms: int, *, field: str = "1") -> Any:
        return await script(keys=KEYS, args=[field, before, after, 1, 9, digest, new_digest, "", at_ms, ""])

    assert [b"OK", 1] == await write("", "made", "", "d1", 100)
    assert [b"CHANGED"] == await write("", "made", "d1", "d2", 200)
    assert [b"CHANGED"] == await write("lifted", "made", "d1", "d2", 200)
    assert [b"BEHIND", b"d1", b"100"] == await write("made", "lifted", "other", "d2", 200), "another entry was written"
    assert [b"BEHIND", b"d1", b"100"] == await write("made", "lifted", "d1", "d2", 100), "times grow"
    assert [b"FULL"] == await write("", "made", "d1", "d2", 200, field="2")
    assert [b"OK", 2] == await write("made", "lifted", "d1", "d2", 101)
    assert {b"1": b"lifted", b"seq": b"2"} == await redis.hgetall(KEYS[1])


async def test_commands_that_were_lost_are_written_again_only_on_top_of_what_was_found(redis: Redis) -> None:
    write: Any = redis.register_script(load_script("logs/write_command"))
    restore: Any = redis.register_script(load_script("logs/restore_commands"))
    for field in "12":
        found = await redis.xrevrange(KEYS[0], count=1)
        digest = found[0][1][b"d"] if found else b""  # type: ignore[index]
        arguments = [field, "", "made", 9, 9, digest, f"d{field}", "", int(field), ""]
        assert [b"OK", int(field)] == await write(keys=KEYS, args=arguments)
    assert b"CHANGED" == await restore(keys=KEYS, args=["1", 1, "d3", "3", "lost"]), "a command was made meanwhile"
    assert b"OK" == await restore(keys=KEYS, args=["2", 1, "d3", "3", "lost"])
    assert {b"1": b"made", b"2": b"made", b"3": b"lost", b"seq": b"3"} == await redis.hgetall(KEYS[1])
