"""The gateway's state: a replica of what is published, and the prices of the last seconds. Performs no I/O."""
