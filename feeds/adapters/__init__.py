"""Adapters: one package per provider, the part of a feed that a licensed operator runs.

Each holds the same rooms: `config` (its config block), `messages` (the provider's words as types), `codec` (its rules, without
I/O), `transport` (connect, read, write) and a README with its quirks and their sources. An adapter imports no other adapter but
its own, and no emulator.
"""
