"""Channels of the stream for traders beyond the offer: commands, feeds and trouble."""
