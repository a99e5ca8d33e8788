"""The books: what each source says (source_book), and what we publish (offer). Pure: no clock, no I/O."""
