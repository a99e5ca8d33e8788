"""Commands as an operator runs them: their logs, signals and exit codes."""
