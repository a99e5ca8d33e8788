"""The tables of the history: their migrations, by alembic, and their partitions by day."""
