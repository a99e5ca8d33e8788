"""The client protocol `odds.v1`: message types, codes, encoding, framing and the API documents. Performs no I/O."""
