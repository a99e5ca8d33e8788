"""The snapshot of a shard: what is stored of it, how it is staged for an epoch, and how it is brought up to the stream."""
