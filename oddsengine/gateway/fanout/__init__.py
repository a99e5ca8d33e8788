"""Fan-out: encode each delta once per audience and write it to every subscriber in time slices.

Knows sessions, audiences and frames. Does not decide when to flush (`hub`), nor how a session that is behind catches up
(`recovery`); imports neither.
"""
