"""Requests and schemas of the documents, to be held against a real gateway."""
