"""The HTTP server: listener, WebSocket and event-stream endpoints, REST API and page. Decides nothing about what is sent."""
