"""The identities of events: decided by one engine, the owner of the first shard, and followed by all."""
