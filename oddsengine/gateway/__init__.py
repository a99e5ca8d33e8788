"""Serves subscribers: a replica of what is published, sessions and audiences, recovery, access control, and the HTTP server.

Knows the engine only by the streams it follows, and by `console.engine_answers.EngineView` where both run in one process.
"""
