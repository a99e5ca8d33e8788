"""Commands over HTTP: who may make which, and the answers."""
