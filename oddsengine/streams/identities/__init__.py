"""The identities of events in Redis: `log` reads and writes them, `progress` decides what an entry means. The latter is pure."""
