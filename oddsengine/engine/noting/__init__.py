"""Notes what led to prices, for the history."""
