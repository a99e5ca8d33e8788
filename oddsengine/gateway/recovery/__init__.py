"""Recovery: bring sessions that are not at their audience's position up to date with a snapshot or one diff.

Writes through the outbox of `fanout`. Does not import `hub`, and never encodes a live delta.
"""
