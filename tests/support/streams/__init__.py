"""Publishing and following without an engine and a gateway."""
