"""The content of an ingest stream. The types are encoded as arrays: add fields at the end only."""

from __future__ import annotations

from typing import Final

import msgspec

from oddsengine.domain.feed_updates import UpdateBatch


class IngestEntry(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
    """The updates of one position, in order.

    Without a `snapshot` number they are changes. With one they are a part of a snapshot, between `is_first` and `is_last`: the
    present state, of which `ages_ms` says how long ago each batch was received. An entry without anything is a heartbeat.
    The first one of a term says whether it `continues` a live feed: then a snapshot follows at once. `sent_ms` is when it was
    written, by a clock of the writer that is never set.
    """

    batches: list[UpdateBatch] = []
    snapshot: int = 0
    is_first: bool = False
    is_last: bool = False
    ages_ms: list[int] = []
    continues: bool = False
    sent_ms: int = 0


encode_entry: Final = msgspec.msgpack.Encoder().encode
decode_entry: Final = msgspec.msgpack.Decoder(IngestEntry).decode
