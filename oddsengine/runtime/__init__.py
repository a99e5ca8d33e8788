"""Wiring: which parts run in a process, with which settings, clocks and connections. No rule of the domain lives here."""
