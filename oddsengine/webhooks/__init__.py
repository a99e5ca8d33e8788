"""Webhooks: what an operator's own systems are told over HTTP, by an outbox in Redis, signed and retried."""
