"""The HTTP API of a gateway, typed by the protocol's own messages."""
