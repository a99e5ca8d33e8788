"""One connection after the other: opening, reading, why they end, and when the next one is made."""
