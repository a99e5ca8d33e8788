"""Compares what was published with what other settings would have published. Pure: time is an argument."""
