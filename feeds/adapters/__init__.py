"""Adapters: one package per provider, the part of a feed that a licensed operator runs.

Each holds the same rooms: `config` (its config block), `messages` (the provider's words as types), `codec` (its rules, without
I/O), `markets` (translation into the domain's events and markets), `transport` (connect, read, write) and a README with its
quirks and their sources. An adapter imports neither another adapter nor an emulator.
"""
