"""How laws are tried."""
