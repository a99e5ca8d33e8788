"""Emulators: providers on loopback that speak the real protocol over a market model and inject faults on demand.

`core` holds what they share, each other module or package emulates one provider, and `simulator` is a feed of its own for demos.
An emulator may import its provider's adapter; no adapter may import an emulator (see `feeds.emulators.emulator`).
"""
