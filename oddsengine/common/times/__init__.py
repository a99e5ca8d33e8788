"""Times: read as people and programs write them, and kept for what is due at one."""
