"""The sources of an engine: what they say, which markets they quote, and which of them prices a market."""
