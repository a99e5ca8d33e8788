"""Scenarios: what is measured, one module each. They start what they need from `bench.load` and return rows."""
