"""The HTTP API of the past: the questions of `oddsengine.history`, asked by clients of a gateway."""
