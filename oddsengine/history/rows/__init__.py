"""The rows that stream entries become. Pure."""
