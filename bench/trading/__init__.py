"""What traders wait for."""
