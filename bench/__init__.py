"""Benchmarks. Each result is compared with a reference measured in the same run: only ratios hold across machines."""
