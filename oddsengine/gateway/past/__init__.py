"""What the HTTP API says of the past, as types. Where the answers come from is not known here."""
