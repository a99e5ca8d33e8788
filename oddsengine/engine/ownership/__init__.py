"""Owning shards: leases, take-overs, the writer of each shard, and what is kept of shards that other engines own."""
