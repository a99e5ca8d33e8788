"""Other servers of WebSockets, for comparison, and what feeds them."""
