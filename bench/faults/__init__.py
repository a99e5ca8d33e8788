"""Benchmarks of faults: of providers, and of engines."""
