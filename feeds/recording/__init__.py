"""Recordings of feeds: what a recording contains, writing it, reading it back in order, and playing it through a codec.

Secrets never reach a recording: a request or response that holds one is recorded without it.
"""
