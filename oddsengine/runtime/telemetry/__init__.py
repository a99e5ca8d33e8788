"""The signals that operators see: logs and metrics."""
