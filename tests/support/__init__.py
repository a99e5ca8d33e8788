"""Test support: builders, harnesses and running services, shared by the suites and by `bench`."""
