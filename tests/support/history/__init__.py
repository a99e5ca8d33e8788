"""What tests of the history share: one PostgreSQL for all, and a database for each."""
