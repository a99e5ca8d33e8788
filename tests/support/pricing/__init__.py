"""Support for tests of pricing."""
