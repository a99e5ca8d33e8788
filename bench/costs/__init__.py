"""Costs of a change where nothing is sent: in a gateway, in memory, at a start, through one Redis."""
