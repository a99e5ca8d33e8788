"""The life of a process: it starts, listens, is watched and stops. What it does in between is wired in `oddsengine.runtime`."""
