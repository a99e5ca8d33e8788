"""Subscribers: replicas of the offer, audiences that share frames, sessions, and the HTTP API."""
