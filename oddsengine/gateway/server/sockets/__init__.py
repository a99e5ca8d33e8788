"""WebSockets: the opening handshake, frames that arrive in order, and the session that a socket carries.

Once its handshake is complete, a socket has left aiohttp: it needs no task, no request and no queue while it is quiet.
"""
