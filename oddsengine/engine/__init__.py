"""The engine: from feed updates to published batches, without knowing feeds or gateways.

- `pipeline`: source books, source selection, pricing and offers put together; no I/O, time is an argument.
- `flushing`: what is dirty, and how a large flush is cut into parts.
- `shard_writer`: owns one shard and writes its batches to Redis.
- `engine`: the pipeline and one writer a shard, running.
- `explain` and `http_api`: how a price was computed, and the engine's own HTTP API.
"""
