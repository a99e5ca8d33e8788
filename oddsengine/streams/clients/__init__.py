"""Clients of Redis by topology: one server, a primary watched by Sentinels, a Cluster. `streams.connection` opens them."""
