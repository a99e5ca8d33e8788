"""Data of benchmarks: recordings of the simulator that anybody can make, and recordings of providers where there are any."""
