"""Questions about the past, answered from the tables: what a market was at a time, how it changed, and who commanded what."""
