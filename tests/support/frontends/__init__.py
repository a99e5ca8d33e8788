"""Applications of frontends that tests start."""
