"""Notes for the history: what led to prices, the states of feeds, and configs. No gateway reads them."""
