"""Providers: their messages, their emulators, and recordings of a simulated one."""
