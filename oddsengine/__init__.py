"""The open odds engine: provider feeds in, priced markets out to any number of subscribers."""

__version__ = "0.1.0"
