"""Faults of providers, injected one by one under a running service, and what a subscriber sees of them."""
