"""The offer: the state a shard publishes and the diff since any of its positions.

Both ends are here: the owner's, which stages and commits changes, and the replica's, which applies them. Pure: no clock, no I/O,
no knowledge of how batches are stored or sent.
"""
