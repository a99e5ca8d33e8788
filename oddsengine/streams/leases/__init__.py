"""Leases: which member of a group owns which item. `assignment` and `state` decide and are pure, `table` is in Redis."""
