"""Event matching: finds which events of different feeds are the same event, and maps their ids to one."""
