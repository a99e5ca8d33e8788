"""Helpers for every room: tasks, signals, the wall clock, histograms, HTTP answers and the like. They import no other room."""
