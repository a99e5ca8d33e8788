"""What flushes have to do, and how a large one is cut: in parts of bounded time, suspensions first."""
