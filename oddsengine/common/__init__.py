"""Small helpers that any room may use: tasks, signals, the wall clock, text excerpts. They import no room of ours."""
