"""Redis servers by topology, for tests and benchmarks of failovers."""
