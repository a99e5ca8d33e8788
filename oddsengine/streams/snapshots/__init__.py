"""The snapshot of a shard: what is stored of it, how a draft of it is written before an epoch, and how it is brought up to the stream."""
