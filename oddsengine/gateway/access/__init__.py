"""Access control: tokens, roles, origins, rate and session limits. Knows nothing of what is published."""
