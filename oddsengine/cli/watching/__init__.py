"""`oddsengine watch`: a channel in the terminal, as a table or as lines."""
