"""Fault scenarios: faults of emulated providers under a running service, judged by what a subscriber sees.

Shared by `tests/chaos` and `python -m bench`.
"""
