"""Transports: what carries a feed's bytes over TCP, TLS, WebSocket, server-sent events and HTTP.

They know no provider and decode no payload. Secrets pass through them and appear in no error, log or recording.
"""
