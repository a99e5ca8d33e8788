"""Follows all shards and writes what they publish into the database."""
