"""The snapshot of a shard: what is stored of it, its draft before an epoch, and its refresh from the stream."""
