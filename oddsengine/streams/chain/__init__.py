"""The chain of digests through the entries of a stream. Pure."""
