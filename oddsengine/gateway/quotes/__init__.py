"""Price checks before a bet is taken: what is acceptable, and quotes that are signed so that a bet can carry them."""
