"""Supervision of feeds: keeps each feed connected and decides when its sources can be trusted.

The supervisor knows feeds only through `feeds.feed`. It knows no provider and no engine: what a feed reports goes to a `Sink`.
"""
