"""What an engine knows of its sources: what they say, which markets they quote, and which of them prices a market."""
