"""Centrifuge's client protocol in JSON, so that Centrifugo's SDKs follow channels unchanged (docs/centrifuge.md)."""
