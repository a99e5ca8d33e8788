"""Consumers: processes that read every entry of every shard, from positions of their own that outlive them."""
