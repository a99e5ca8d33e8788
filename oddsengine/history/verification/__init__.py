"""Finds out whether anybody has changed the history: recomputes its chains, and compares them with signed checkpoints."""
