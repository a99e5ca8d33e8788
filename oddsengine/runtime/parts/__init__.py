"""Parts of a process that a reload can change: who is admitted, how commands are made, how quotes are signed, webhooks."""
