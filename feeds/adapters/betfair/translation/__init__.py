"""The meaning of Betfair's words in the domain."""
