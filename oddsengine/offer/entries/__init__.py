"""Entries of a stream: what the publisher of a batch encodes once for all who read it."""
