"""What traders see live beyond the offer: commands, feeds and trouble, as channels of the stream."""
