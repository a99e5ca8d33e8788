"""What the engine must say, computed by something that is not the engine."""
