"""Costs of a change, a frame and a delta in each role, and how many machines a load needs by these costs."""
