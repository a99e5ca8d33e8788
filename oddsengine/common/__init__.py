"""Helpers that any room may use: tasks, signals, the wall clock, excerpts, HTTP answers. They import no other room."""
