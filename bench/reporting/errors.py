"""What a benchmark needs beyond Python, where it is not there."""


class NotInstalled(Exception):
    """Something that a benchmark needs is missing; says what to do."""
