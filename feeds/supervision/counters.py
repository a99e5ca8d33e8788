"""Counters of a feed, for `/metrics` and `GET /v1/feeds`."""


class FeedCounters:
    """Counts since the feed was started. `GET /v1/feeds` shows every attribute under its name."""

    __slots__ = (
        "bytes",
        "connections",
        "continuity_lost",
        "dropped",
        "failures",
        "messages",
        "rejected",
        "samples",
    )

    def __init__(self) -> None:
        self.bytes = 0
        self.messages = 0
        self.rejected = 0
        self.dropped = 0
        self.connections = 0
        self.failures = 0
        self.continuity_lost = 0
        #: verification snapshots requested
        self.samples = 0
