"""Redis Streams: publishing a shard's changes atomically, following them in order, and an embedded real server."""
