"""Redis Streams: publish a shard's changes atomically, follow them in order, and run an embedded server.

Only this room and the session limiter know Redis. It imports neither the engine nor the gateway.
"""
