"""Settings that several rooms have in common."""
