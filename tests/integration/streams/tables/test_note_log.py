"""The notes for the history, in a real Redis: each follows the one before."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from oddsengine.streams.notes.log import Note, NoteLog
from oddsengine.streams.positions import ORIGIN

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def test_every_note_is_chained_to_the_one_before_whoever_writes_them(redis: Redis) -> None:
    """So it shows that notes were lost although others have their numbers by now."""
    for body in (b"1", b"2"):
        await NoteLog(redis, "law").write([Note("feed", "a", 1, body), Note("feed", "b", 1, body)])
    notes = await NoteLog(redis, "law").read(ORIGIN)
    assert [1, 2, 3, 4] == [note.position.seq for note in notes]
    assert [True, True, True] == [after.follows(before.digest) for before, after in pairwise(notes)]
    assert not notes[2].follows(notes[0].digest)
