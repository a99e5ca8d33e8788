"""Benchmarks of engines that share the work, and of feeds that reach them from other processes."""
