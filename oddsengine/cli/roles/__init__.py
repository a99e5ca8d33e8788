"""The commands of the roles: engine, gateway, and both with the feeds in one process."""
