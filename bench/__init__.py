"""Benchmarks: each beside a reference measured in the same run, because only ratios survive a change of machine."""
