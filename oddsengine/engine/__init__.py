"""The pipeline from feed updates to published batches (pipeline), and what runs it (engine)."""
