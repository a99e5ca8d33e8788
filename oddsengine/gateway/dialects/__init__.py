"""Protocols over sockets: `odds.v1` and Centrifuge's. Both use the hub, and share what it sends."""
