"""The history: everything that was published, kept in PostgreSQL.

`rows` turns stream entries into rows and is pure, `archive` follows the streams and writes them, `schema` has the tables and
their migrations, `embedded` runs a server where none is configured. Nothing here is in the way of publishing: it only reads.
"""
