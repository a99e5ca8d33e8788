"""The hub: every session of a gateway, what it is subscribed to, and when changes are flushed to it.

The only room of the gateway that decides what is sent to whom and in which order. Opens no sockets, reads no requests (`server`)
and checks no tokens (`access`).
"""
