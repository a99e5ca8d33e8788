"""What Betfair's words mean in the domain."""
