"""Provider feeds: one package a provider, each a codec without I/O and a thin transport, kept alive by one supervisor."""
