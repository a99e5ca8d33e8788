"""The history in a process: its database, an archiver, and the archiver's HTTP API."""
