"""What a feed has done, for the metrics."""


class FeedCounters:
    """What one feed has done since it started."""

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
        self.samples = 0
