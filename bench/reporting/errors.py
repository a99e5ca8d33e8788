"""Errors of benchmarks."""


class NotInstalled(Exception):
    """A program that a benchmark needs is not installed. The message says how to install it."""


class UnreadableResults(Exception):
    """A file that holds no rows of a benchmark."""
