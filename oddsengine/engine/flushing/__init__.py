"""The work of flushes, and how a large one is cut: in parts of bounded time, suspensions first."""
