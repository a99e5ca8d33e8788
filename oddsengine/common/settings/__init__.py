"""What the settings of several rooms have in common."""
