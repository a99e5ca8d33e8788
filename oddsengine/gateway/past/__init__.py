"""Answers of the HTTP API about the past, as types. Where the answers come from is not known here."""
